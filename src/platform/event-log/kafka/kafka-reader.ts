import type { Consumer, EachBatchPayload } from 'kafkajs';
import type { ReadRecord, RecordBatch, SubscribeOptions } from '../event-log.js';
import { endOf, type Verdict } from '../delivery/delivery.js';
import { AssignmentLostError } from '../delivery/partition-runner.js';
import { batchLength } from '../delivery/record-size.js';
import { protocolTypeOf } from './kafka-errors.js';
import type { KafkaOffsetCache } from './kafka-offset-cache.js';
import { type KafkaPartition, toReadRecord } from './kafka-partition.js';
import type { KafkaPositions } from './kafka-positions.js';

/** Heartbeat errors after which kafkajs rejoins for certain, so that the batch in hand is lost. */
const LOST = new Set([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'NOT_COORDINATOR_FOR_GROUP',
  'FENCED_INSTANCE_ID',
]);

/** What the reader asks of its session. */
export interface ReaderHooks {
  /** The partition, if it is ours and the session goes on. */
  partition(number: number): KafkaPartition | undefined;
  /** True while the broker has heard of us lately. */
  fresh(): boolean;
  failed(partition: number, what: string, error: unknown): void;
}

/** Hands what kafkajs fetched to the handler in bounded batches, and steers the next fetch by the answers. */
export class KafkaReader {
  /** When the handler last gave a batch back, ms since 1970: from then on kafkajs can beat again. */
  handledAt = 0;

  constructor(
    private readonly consumer: Consumer,
    private readonly options: SubscribeOptions,
    private readonly positions: KafkaPositions,
    private readonly cache: KafkaOffsetCache,
    private readonly hooks: ReaderHooks,
  ) {}

  /** Lets kafkajs fetch from where the handler wants to read. */
  begin(part: KafkaPartition): void {
    this.seek(part);
    this.resume(part);
  }

  /** Lets kafkajs fetch nothing any more. */
  pauseAll(): void {
    this.steer(() => this.consumer.pause([{ topic: this.options.topic }]));
  }

  async eachBatch(payload: EachBatchPayload): Promise<void> {
    const part = this.hooks.partition(payload.batch.partition);
    // Fetched before a seek, a pause or a rejoin: it will be fetched again from where it ought to be.
    if (!part?.ready || payload.isStale()) return;
    await this.deliver(part, payload);
  }

  private async deliver(part: KafkaPartition, payload: EachBatchPayload): Promise<void> {
    const { maxBatchRecords, maxBatchBytes } = this.options;
    const records = payload.batch.messages
      .map((message) => toReadRecord(part.number, message))
      .filter(({ offset }) => offset >= part.next);
    if (records.length === 0) return;
    const first = records[0]!.offset;
    if (first > part.next) await this.positions.explainGap(part.number, part.next, first);
    let at = 0;
    while (at < records.length && this.hooks.partition(part.number) === part) {
      const end = at + batchLength(records, at, maxBatchRecords, maxBatchBytes);
      const slice = records.slice(at, end);
      const ahead = records.slice(end, end + maxBatchRecords);
      const verdict = await this.hand(part, { ...this.batchOf(part, slice, payload), ahead });
      if (!part.live || !this.accept(part, slice, verdict, payload)) return;
      await payload.heartbeat();
      at = end;
    }
  }

  /** In flight is what the handler has: a beat that the broker doesn't answer holds up no revocation. */
  private async hand(part: KafkaPartition, batch: RecordBatch): Promise<Verdict> {
    const handing = part.delivery.hand(batch);
    part.inFlight = handing;
    try {
      return await handing;
    } finally {
      part.inFlight = null;
      this.handledAt = Date.now();
    }
  }

  /** Books the verdict; false when the rest of what was fetched isn't what comes next. */
  private accept(
    part: KafkaPartition,
    slice: readonly ReadRecord[],
    verdict: Verdict,
    payload: EachBatchPayload,
  ): boolean {
    const end = endOf(slice);
    part.next = verdict.next;
    this.cache.touch();
    if (verdict.error !== null)
      this.hooks.failed(part.number, `batch ${slice[0]!.offset} to ${end - 1n} threw`, verdict.error);
    if (verdict.next === end) {
      payload.resolveOffset((end - 1n).toString());
      return true;
    }
    if (verdict.waitMs > 0) {
      this.steer(() => this.consumer.pause([{ topic: this.options.topic, partitions: [part.number] }]));
      part.pauseFor(verdict.waitMs, () => this.resume(part));
    }
    this.seek(part);
    return false;
  }

  private batchOf(
    part: KafkaPartition,
    records: readonly ReadRecord[],
    payload: EachBatchPayload,
  ): RecordBatch {
    const { topic } = this.options;
    const lost = (cause?: unknown): AssignmentLostError =>
      new AssignmentLostError(`${topic}/${part.number} was given to another consumer`, { cause });
    return {
      topic,
      partition: part.number,
      records,
      highWatermark: BigInt(payload.batch.highWatermark),
      isLive: () => part.live && this.hooks.fresh(),
      heartbeat: async () => {
        if (!part.live) throw lost();
        try {
          await payload.heartbeat();
        } catch (error) {
          // Only what is sure to end in a rejoin, which assigns anew: after any other error kafkajs may go on as if nothing had
          // been, and a partition given up here would be read by nobody.
          if (!LOST.has(protocolTypeOf(error) ?? '')) throw error;
          part.surrender();
          throw lost(error);
        }
        if (!part.live) throw lost();
      },
    };
  }

  private seek(part: KafkaPartition): void {
    this.steer(() =>
      this.consumer.seek({ topic: this.options.topic, partition: part.number, offset: part.next.toString() }),
    );
  }

  private resume(part: KafkaPartition): void {
    this.steer(() => this.consumer.resume([{ topic: this.options.topic, partitions: [part.number] }]));
  }

  /** kafkajs throws when it is being torn down, some moments before its CRASH event; from a timer that would end the process. */
  private steer(command: () => void): void {
    try {
      command();
    } catch {
      // The crash, or the stop, is about to revoke this partition anyway.
    }
  }
}
