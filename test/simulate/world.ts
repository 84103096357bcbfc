import type { Random } from './random.js';

/** What a seed broke. Each is a promise, or what a promise rests on; docs/simulate.md tells them. */
export type Breach =
  | 'LOST'
  | 'TWICE'
  | 'INVERTED'
  | 'GAP'
  | 'TORN'
  | 'FENCE'
  | 'ATTEMPTS'
  | 'BURNED'
  | 'DEAD_LETTER'
  | 'IDENTITY'
  | 'UNBOUNDED'
  | 'DROPPED'
  | 'STUCK'
  | 'CRASH';

/** A process of the simulated house. Killed, it hears no answer any more; stopped, it hears them when it goes on. */
export class Proc {
  alive = true;
  /** Finishes what it has in hand, and ends. */
  leaving = false;
  pausedUntil = 0;
  /** Strikes once the process has sent so many more requests: faults that bite fall while something is under way. */
  ambush: { left: number; readonly of: Link | null; readonly strike: () => void } | null = null;
  private readonly naps = new Set<() => void>();

  /** @param skewMs what its application clock is off by; its monotonic clock is never off */
  constructor(
    readonly name: string,
    readonly skewMs: number,
  ) {}

  /** Ends its naps. */
  wake(): void {
    for (const end of this.naps) end();
  }

  /** @internal */
  napping(end: () => void): () => void {
    this.naps.add(end);
    return () => this.naps.delete(end);
  }
}

/** A server that processes talk to over a network that fails. */
export interface Link {
  /** The server is away. */
  readonly down: () => boolean;
  /** What a client gets that lost its connection, or waited too long. */
  readonly lost: () => Error;
  /** A late request still does its work, after its sender gave up. */
  readonly late: boolean;
}

/** An answer, or what the server refused with. */
export type Reply<T> = (answer: { readonly value: T } | { readonly error: unknown }) => void;

/** Requests of one connection arrive in the order in which they were sent, and so do their answers. */
export interface Channel {
  arrival: number;
  answer: number;
}

interface Task {
  readonly due: number;
  readonly order: number;
  /** True: code under test may go on, and has to be let run until it waits again. */
  readonly run: () => boolean;
}

/** Ends a run at its first breach: what follows a broken promise means nothing. */
export class BreachError extends Error {
  constructor(
    readonly breach: Breach,
    text: string,
  ) {
    super(text);
  }
}

/**
 * Time, network and scheduling of one run. Everything that code under test awaits ends in a task of this queue, so that every
 * await is a place where others may come between, and the seed decides who does. Times in ms.
 */
export class World {
  now = 0;
  /** From here on nothing fails any more. */
  calm = false;
  /** Share of requests that a failing network meddles with. */
  failing = 0;
  breach: BreachError | null = null;
  steps = 0;
  /** Requests whose senders gave up, and which will still arrive. */
  belated = 0;
  /** How often what happened that is meant to hurt: a fault that didn't bite proves nothing. */
  readonly bites = new Map<string, number>();
  private order = 0;
  private readonly heap: Task[] = [];

  /** @param trace gets a line for everything that happens; null: nobody reads */
  constructor(
    readonly random: Random,
    readonly trace: string[] | null,
  ) {}

  /** Writes a line of the trace; `line` is only called when somebody reads. */
  note(line: () => string): void {
    this.trace?.push(`${this.now.toFixed(1).padStart(9)} ${brief(line())}`);
  }

  bit(what: string): void {
    this.bites.set(what, (this.bites.get(what) ?? 0) + 1);
  }

  /** Records the first breach, which ends the run. */
  broken(breach: Breach, text: string): void {
    if (this.breach) return;
    this.breach = new BreachError(breach, brief(text));
    this.note(() => `!! ${breach}: ${text}`);
  }

  /** Something outside of the code under test, at `due`. */
  at(due: number, run: () => void): void {
    this.push(due, () => (run(), false));
  }

  /** Lets a process go on at `due`, if it lives then, and once it isn't stopped. */
  resume(proc: Proc, due: number, run: () => void): void {
    this.push(due, () => {
      if (!proc.alive) return false;
      if (proc.pausedUntil > this.now) {
        this.resume(proc, proc.pausedUntil, run);
        return false;
      }
      run();
      return true;
    });
  }

  sleep(proc: Proc, ms: number): Promise<void> {
    return new Promise((resolve) => this.resume(proc, this.now + ms, resolve));
  }

  /** As `sleep`, but `proc.wake()` ends it. */
  nap(proc: Proc, ms: number): Promise<void> {
    return new Promise((resolve) => {
      let over = false;
      const forget = proc.napping(() => {
        if (over) return;
        over = true;
        forget();
        this.resume(proc, this.now + this.random.next(), resolve);
      });
      this.push(this.now + ms, () => {
        if (over) return false;
        over = true;
        forget();
        this.resume(proc, this.now, resolve);
        return false;
      });
    });
  }

  /** A way through the network. Mostly short, sometimes long: that is what reorders. */
  latency(): number {
    const { random } = this;
    if (!this.calm && random.chance(0.02)) return random.between(20, 400);
    return random.between(0.5, 4);
  }

  /**
   * Sends a request. `serve` does its work on the server, at once or later, and replies once. The network may lose the
   * request or the answer, or deliver the request after its sender gave up.
   */
  request<T>(proc: Proc, link: Link, serve: (reply: Reply<T>) => void, channel?: Channel): Promise<T> {
    const { random } = this;
    return new Promise((resolve, reject) => {
      // Killed in the midst of a task, by what it sent a moment before.
      if (!proc.alive) return;
      const inOrder = (due: number): number =>
        channel ? (channel.answer = Math.max(due, channel.answer)) : due;
      const fail = (due: number): void => this.resume(proc, inOrder(due), () => reject(link.lost()));
      let arrival = this.now + this.latency();
      if (channel) arrival = channel.arrival = Math.max(arrival, channel.arrival);
      this.spring(proc, link);
      const meddled = !this.calm && random.chance(this.failing);
      const fates = link.late
        ? (['request', 'answer', 'late', 'late'] as const)
        : (['request', 'answer'] as const);
      const fate = meddled ? random.pick(fates) : 'ok';
      if (fate === 'request') return fail(arrival + random.between(0, 200));
      const late = fate === 'late';
      if (fate !== 'ok') this.bit(late ? 'requests delivered late' : 'answers lost');
      if (late) {
        this.belated += 1;
        fail(arrival + random.between(0, 100));
      }
      this.at(late ? arrival + random.between(50, 1_500) : arrival, () => {
        if (late) this.belated -= 1;
        if (link.down()) return late ? undefined : fail(this.now + this.latency());
        serve((answer) => {
          if (late) return;
          if (fate !== 'ok') return fail(this.now + random.between(0, 200));
          this.resume(proc, inOrder(this.now + this.latency()), () =>
            'error' in answer ? reject(answer.error) : resolve(answer.value),
          );
        });
      });
    });
  }

  private spring(proc: Proc, link: Link): void {
    const { ambush } = proc;
    if (!ambush || (ambush.of && ambush.of !== link) || ambush.left-- > 0) return;
    proc.ambush = null;
    if (!this.calm) ambush.strike();
  }

  /** Runs until `done` (asked now and then), a breach, or `limit`. Answers whether it was done. */
  async runUntil(limit: number, done: () => boolean): Promise<boolean> {
    let nextLook = 0;
    while (this.heap.length > 0 && !this.breach) {
      if (this.now >= nextLook) {
        if (done()) return true;
        nextLook = this.now + 50;
      }
      if (this.heap[0]!.due > limit) {
        this.now = limit;
        return done();
      }
      const task = this.pop();
      this.now = Math.max(this.now, task.due);
      this.steps += 1;
      if (task.run()) await settled();
    }
    return this.breach === null && done();
  }

  private push(due: number, run: () => boolean): void {
    const { heap } = this;
    const task = { due, order: this.order++, run };
    let i = heap.length;
    heap.push(task);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(task, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = task;
  }

  private pop(): Task {
    const { heap } = this;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
      if (!before(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

/** Keys by the end of their aggregate's id. */
const brief = (text: string): string => text.replaceAll(/[0-9a-f-]{36}\/[0-9a-f-]{32}([0-9a-f]{4})/g, '$1');

const before = (a: Task, b: Task): boolean => a.due < b.due || (a.due === b.due && a.order < b.order);

/**
 * Resolves when every microtask has run, and what the code under test put off by a tick: all of it waits for the next task. Ticks
 * run when no microtask is left; the second one comes after those that were asked for meanwhile.
 */
const settled = (): Promise<void> =>
  new Promise((resolve) => process.nextTick(() => process.nextTick(resolve)));
