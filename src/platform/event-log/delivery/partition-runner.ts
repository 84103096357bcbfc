import type { BatchHandler, ReadRecord, RecordBatch, SubscribeOptions } from '../event-log.js';
import { backoffMs, Delivery, endOf, type DeliveryTiming } from './delivery.js';
import { Latch } from './latch.js';
import { type LogSink, messageOf } from './log-sink.js';

/** Thrown by `RecordBatch.heartbeat` once the partition belongs to somebody else. */
export class AssignmentLostError extends Error {
  override readonly name = 'AssignmentLostError';
}

/** Records from an offset on, and the offset that the next record of the partition will get. */
export interface LogSlice {
  readonly records: readonly ReadRecord[];
  readonly highWatermark: bigint;
}

/** What a runner needs from its subscription. */
export interface RunnerContext {
  readonly options: SubscribeOptions;
  readonly handler: BatchHandler;
  readonly timing: DeliveryTiming;
  readonly sink: LogSink;
  /** Reads within the bounds of `options`, from `from` on; throws while the log is away. */
  read(partition: number, from: bigint): Promise<LogSlice>;
  /** Proves that the assignment still holds; throws when it doesn't. */
  heartbeat(): Promise<void>;
  /** A read or a handler failed: for the status. */
  failed(error: unknown): void;
}

/**
 * One partition in one subscription's hands, from `assigned` to `revoked`, for the adapters that read by themselves
 * (PostgreSQL, memory). One batch at a time; sleeps until woken when it has read everything.
 */
export class PartitionRunner {
  private readonly news = new Latch();
  private readonly interrupt = new Latch();
  private readonly delivery: Delivery;
  private live = true;
  private draining = false;
  private begun = false;
  private cursor = 0n;
  private finished: Promise<void> = Promise.resolve();
  private ended: Promise<void> | null = null;

  constructor(
    readonly partition: number,
    private readonly context: RunnerContext,
  ) {
    this.delivery = new Delivery(context.handler, context.timing);
  }

  start(): this {
    this.finished = this.run();
    return this;
  }

  /** The next offset that this runner will read. */
  get position(): bigint {
    return this.cursor;
  }

  /** Records may have arrived. */
  wake(): void {
    this.news.wake();
  }

  /** Gives the partition back after the batch in hand, which stays live until it is done. */
  release(): Promise<void> {
    this.draining = true;
    return this.end();
  }

  /** The partition is gone already: the batch in hand is dead from this very call on, and its answer counts no more. */
  drop(): Promise<void> {
    this.live = false;
    return this.end();
  }

  private end(): Promise<void> {
    this.news.wake();
    this.interrupt.wake();
    this.ended ??= this.finished.then(async () => {
      this.live = false;
      if (!this.begun) return;
      try {
        await this.context.handler.revoked(this.context.options.topic, this.partition);
      } catch (error) {
        this.report('revoked threw', error);
      }
    });
    return this.ended;
  }

  private get going(): boolean {
    return this.live && !this.draining;
  }

  private async run(): Promise<void> {
    await this.begin();
    let failures = 0;
    while (this.going) {
      // Before the read, so that a record appended during the read wakes the wait that follows it.
      this.news.clear();
      if (!this.going) return;
      try {
        const slice = await this.context.read(this.partition, this.cursor);
        failures = 0;
        await this.advance(slice);
      } catch (error) {
        this.report('read failed', error);
        await this.interrupt.wait(backoffMs(this.context.timing, failures++));
      }
    }
  }

  /** Asks where to read from until it gets an answer: the handler's database may be away just now. */
  private async begin(): Promise<void> {
    for (let failures = 0; this.going; failures += 1) {
      try {
        const from = await this.context.handler.assigned(this.context.options.topic, this.partition);
        this.begun = true;
        this.cursor = from ?? -1n;
        return;
      } catch (error) {
        this.report('assigned threw', error);
        await this.interrupt.wait(backoffMs(this.context.timing, failures));
      }
    }
  }

  private async advance({ records, highWatermark }: LogSlice): Promise<void> {
    if (!this.going) return;
    if (this.cursor > highWatermark) {
      // The log was made anew, or restored from a backup: reading on from here would wait for ever, and skip what comes.
      this.complain(
        `offset ${this.cursor} is beyond the log's end ${highWatermark}; reading again from its beginning`,
      );
      this.cursor = -1n;
      this.news.wake();
    } else if (records.length === 0) {
      if (this.cursor >= 0n && this.cursor < highWatermark) this.complainOfGap(highWatermark);
      this.cursor = highWatermark;
      await this.news.wait();
    } else {
      const first = records[0]!.offset;
      if (this.cursor >= 0n && first > this.cursor) this.complainOfGap(first);
      await this.deliver(records, highWatermark);
    }
  }

  private async deliver(records: readonly ReadRecord[], highWatermark: bigint): Promise<void> {
    const { topic } = this.context.options;
    const batch: RecordBatch = {
      topic,
      partition: this.partition,
      records,
      highWatermark,
      isLive: () => this.live,
      heartbeat: async () => {
        if (this.live) await this.context.heartbeat();
        if (!this.live)
          throw new AssignmentLostError(`${topic}/${this.partition} was given to another consumer`);
      },
    };
    const verdict = await this.delivery.hand(batch);
    this.cursor = verdict.next;
    if (verdict.error !== null && this.live)
      this.report(`batch ${records[0]!.offset} to ${endOf(records) - 1n} threw`, verdict.error);
    if (verdict.waitMs > 0 && this.going) await this.interrupt.wait(verdict.waitMs);
  }

  private complainOfGap(first: bigint): void {
    this.complain(
      `offsets ${this.cursor} to ${first - 1n} (${first - this.cursor} records) are gone from the log, unread; reading on from ${first}`,
    );
  }

  private complain(text: string): void {
    this.context.sink.error(
      `event log ${this.context.options.topic}/${this.partition}, group ${this.context.options.group}: ${text}`,
    );
  }

  private report(what: string, error: unknown): void {
    this.context.failed(error);
    this.context.sink.warn(
      `event log ${this.context.options.topic}/${this.partition}, group ${this.context.options.group}: ${what}: ${messageOf(error)}`,
    );
  }
}
