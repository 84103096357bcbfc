import { Pause } from './pause.js';

/** Where a loop reports what nobody awaits; Nest's Logger fits as it is. */
export interface LoopLog {
  warn(message: string): void;
  error(message: string): void;
  /** Lines of single events. */
  debug?(line: object): void;
}

/** How a loop behaves. All times in ms. */
export interface LoopOptions {
  /** `<module>.<what it does>`; unique in the process, shown by the probes. */
  readonly name: string;
  /** Longest wait between two runs without being woken: polling is the truth, a wake-up only a hurry. Null: woken only. */
  readonly intervalMs: number | null;
  /** Without a movement for so long the loop counts as stalled, and liveness says so. Default: ten intervals, at least 60 s. */
  readonly stallAfterMs?: number;
  /** Longest back-off after errors; the first is a fiftieth of it, and each doubles. Default 5 s. */
  readonly maxBackoffMs?: number;
}

/** How one run ended. */
export interface LoopRun {
  /** True: the batch was full, and the next run follows at once. */
  readonly more: boolean;
  readonly error: unknown;
}

/** How a loop is doing, for probes. */
export interface LoopStatus {
  readonly name: string;
  readonly running: boolean;
  /** False once it runs and has not moved for `stallAfterMs`. */
  readonly alive: boolean;
  readonly sinceMovedMs: number;
  readonly runs: number;
  /** Failed runs in a row; 0 after a good one. */
  readonly failures: number;
  readonly lastError: string | null;
}

const FIRST_BACKOFF_PART = 50;

/**
 * The one shape of every worker loop: bounded batches of `work`, again at once while it answers true, else after
 * `intervalMs` or a `wake()`. An error is reported and backed off from, and the loop goes on: it ends by `stop()` alone.
 */
export class WorkerLoop {
  private readonly pause = new Pause();
  private readonly backoff = new Pause();
  private turn: Promise<unknown> = Promise.resolve();
  private finished: Promise<void> | null = null;
  private stopping = false;
  private movedAt = performance.now();
  private runs = 0;
  private failures = 0;
  private lastError: string | null = null;
  private awaiting: ((run: LoopRun) => void)[] = [];

  constructor(
    private readonly options: LoopOptions,
    private readonly work: () => Promise<boolean>,
    private readonly log: LoopLog,
  ) {}

  get name(): string {
    return this.options.name;
  }

  /** Begins with a run at once. Safe to call twice. */
  start(): void {
    if (this.finished) return;
    this.stopping = false;
    this.moved();
    this.finished = this.loop();
  }

  /** Lets the run in hand finish, then ends. Safe to call at any time. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.pause.wake();
    this.backoff.wake();
    await this.finished;
    this.finished = null;
  }

  /** There may be work. Coalesced: any number of calls during a run cause one more run. Never cuts a back-off short. */
  wake(): void {
    this.pause.wake();
  }

  /** One batch, now; runs of one loop never overlap. @throws what `work` throws */
  runOnce(): Promise<boolean> {
    const run = this.turn.then(() => this.run());
    this.turn = run.catch(() => undefined);
    return run;
  }

  /** Resolves at the end of the first run that begins after this call: the signal that tests await. */
  nextRun(): Promise<LoopRun> {
    return new Promise((resolve) => this.awaiting.push(resolve));
  }

  /** Called by `work` in the midst of a long run, so that it doesn't pass for stalled. */
  moved(): void {
    this.movedAt = performance.now();
  }

  status(): LoopStatus {
    const sinceMovedMs = Math.round(performance.now() - this.movedAt);
    const limit = this.options.stallAfterMs ?? Math.max(60_000, 10 * (this.options.intervalMs ?? 0));
    const running = this.finished !== null;
    // A loop that waits to be woken stands still by design; only a run in hand can stall.
    const waiting = this.options.intervalMs === null && this.awaitsWakeUp;
    const alive = !running || waiting || sinceMovedMs < limit;
    return {
      name: this.name,
      running,
      alive,
      sinceMovedMs,
      runs: this.runs,
      failures: this.failures,
      lastError: this.lastError,
    };
  }

  private awaitsWakeUp = false;

  private async loop(): Promise<void> {
    while (!this.stopping) {
      // Before the run, so that what is committed during it causes another.
      this.pause.clear();
      // stop() may have come between the condition and the clear, which would have eaten its wake-up.
      if (this.stopping) return;
      try {
        if (await this.runOnce()) continue;
        this.awaitsWakeUp = true;
        await this.pause.wait(this.options.intervalMs);
      } catch (error) {
        this.report(error);
        await this.backoff.wait(this.backoffMs());
        this.pause.wake();
      } finally {
        this.awaitsWakeUp = false;
      }
    }
  }

  private async run(): Promise<boolean> {
    const awaiting = this.awaiting;
    this.awaiting = [];
    this.moved();
    let ended: LoopRun = { more: false, error: null };
    try {
      ended = { more: await this.work(), error: null };
      this.failures = 0;
      this.lastError = null;
      return ended.more;
    } catch (error) {
      ended = { more: false, error };
      this.failures += 1;
      throw error;
    } finally {
      this.runs += 1;
      this.moved();
      for (const resolve of awaiting) resolve(ended);
    }
  }

  /** Exponential, with jitter of a half, so that loops felled by one outage don't return in step. */
  private backoffMs(): number {
    const longest = this.options.maxBackoffMs ?? 5_000;
    const full = Math.min(longest, (longest / FIRST_BACKOFF_PART) * 2 ** (this.failures - 1));
    return full * (0.5 + Math.random() / 2);
  }

  private report(error: unknown): void {
    const message = error instanceof Error ? error.message || error.name : String(error);
    // An outage of an hour is one line, and a line when its cause changes; the status tells the rest.
    if (message !== this.lastError) this.log.warn(`loop ${this.name} failed and goes on: ${message}`);
    this.lastError = message;
  }
}
