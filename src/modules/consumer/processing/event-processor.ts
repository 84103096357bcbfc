import { traceIdOf } from '../../../platform/context/op-context.js';
import type { BackgroundWork } from '../../../platform/database/unit-of-work.js';
import type { BatchHandler, RecordBatch } from '../../../platform/event-log/event-log.js';
import { metrics } from '../../../platform/observability/metrics.js';
import type { LoopLog } from '../../../platform/worker/loop.js';
import type { Projectors } from '../contract/projector.js';
import { type DecodedRecord, decodeRecord, type GoodRecord, type IncomingEvent } from '../domain/decode.js';
import type { IncomingRecord } from '../domain/incoming.js';
import { keyOf } from '../domain/plan-batch.js';
import { FencedError } from '../persistence/fenced-error.js';
import { OffsetStore, type PartitionClaim } from '../persistence/offset-store.js';
import { type Attempt, BatchApplier } from './batch-applier.js';
import { BatchWatch } from './batch-watch.js';
import { Decoder } from './decoder.js';
import { buried, describeFailure, kindOf } from './failures.js';
import { GaveUpError, processWithRetry, type RetryPolicy } from './retry.js';
import { Suspects } from './suspects.js';
import { Together } from './together.js';

/** Configuration of a consumer; each names the environment variable it comes from. */
export interface ProcessorOptions {
  /** KAFKA_CONSUMER_GROUP */
  readonly group: string;
  /** Who holds a partition, for operators. */
  readonly owner: string;
  /** KAFKA_MAX_RETRIES */
  readonly maxRetries: number;
  /** KAFKA_RETRY_BACKOFF_MS */
  readonly retryBackoffMs: number;
  /** KAFKA_MAX_BATCH_RECORDS: records applied in one transaction. */
  readonly maxBatchRecords: number;
}

/** How time passes: a monotonic clock, ms, and what retries wait by. */
export interface Time extends Pick<RetryPolicy, 'wait' | 'random'> {
  readonly now: () => number;
}

/**
 * Applies every event of its partitions exactly once. An infrastructure error leaves the offset where it is and burns no
 * attempt; a failing event is found by halving its batch, tried again quickly, and dead-lettered; its key waits from then
 * on, other keys go on. An error that is the database's fault as a rule pauses the partition, too, until it shows that one
 * event alone meets it (`Suspects`).
 * Metrics: reservation_event_{applied,duplicates,retries,dlq}_total, _batch_duration_seconds, _consumer_lag.
 */
export class EventProcessor implements BatchHandler {
  /** For liveness. */
  readonly watch = new BatchWatch();
  private readonly offsets: OffsetStore;
  private readonly applier: BatchApplier;
  private readonly claims = new Map<string, PartitionClaim>();
  private readonly listeners: (() => void)[] = [];
  private readonly suspects: Suspects;
  private readonly together: Together;
  private readonly decoder = new Decoder();
  private lastError: string | null = null;

  /** @param work answers in time, or the partition waits for as long as a half-open connection is silent */
  constructor(
    work: BackgroundWork,
    projectors: Projectors,
    private readonly options: ProcessorOptions,
    private readonly log: LoopLog,
    private readonly time: Time = { now: () => performance.now() },
  ) {
    this.suspects = new Suspects(time.now);
    this.offsets = new OffsetStore(work, options.group, options.owner);
    this.applier = new BatchApplier(work, this.offsets, projectors, options.group);
    this.together = new Together(this.applier, options.maxBatchRecords, time.now, (attempt, begun) =>
      this.applied(attempt, begun),
    );
  }

  /** The partitions of `topic` that this consumer holds. */
  partitions(topic: string): number[] {
    return [...this.claims.values()]
      .filter((claim) => claim.topic === topic)
      .map(({ partition }) => partition);
  }

  /** Calls `listener` after each transaction that wrote dead letters, or sent some off to be replayed. */
  onLetters(listener: () => void): void {
    this.listeners.push(listener);
  }

  async assigned(topic: string, partition: number): Promise<bigint | null> {
    const { claim, fresh } = await this.offsets.claim(topic, partition);
    this.claims.set(nameOf(claim), claim);
    // Of a new group nothing was missed, wherever the log begins.
    return fresh ? null : claim.next;
  }

  async revoked(topic: string, partition: number): Promise<void> {
    this.claims.delete(nameOf({ topic, partition }));
    metrics.lag.remove({ partition: String(partition) });
  }

  batch(batch: RecordBatch): Promise<bigint> {
    return this.watch.watch((moved) => this.take(batch, moved));
  }

  private async take(batch: RecordBatch, moved: () => void): Promise<bigint> {
    const claim = this.claims.get(nameOf(batch));
    // Fenced a batch ago, but still ours as the log sees it: whoever claimed it meanwhile had it for a moment only.
    if (!claim) return (await this.assigned(batch.topic, batch.partition)) ?? batch.records[0]!.offset;
    const observed = metrics.batchSeconds.startTimer();
    try {
      const run = this.unread(batch, claim);
      this.decoder.prepare(batch.ahead ?? []);
      if (run.length > 0 && !(await this.goesTogether(batch, claim, run)))
        await this.work({ batch, claim, moved }, run);
      this.lastError = null;
    } catch (error) {
      return this.interrupted(error, claim);
    }
    observed();
    metrics.lag.set({ partition: String(batch.partition) }, Number(batch.highWatermark - claim.next));
    return claim.next;
  }

  /** The records from the committed offset on, decoded; all of them when the log was made anew and counts from zero again. */
  private unread(batch: RecordBatch, claim: PartitionClaim): DecodedRecord[] {
    const anew = batch.highWatermark < claim.next;
    if (anew)
      this.log.error(
        `${nameOf(batch)} ends at ${batch.highWatermark}, before the offset ${claim.next} that was applied: the log was made anew; reading what it holds`,
      );
    return batch.records
      .filter(({ offset }) => anew || offset >= claim.next)
      .map((record) => this.decoder.decode(record));
  }

  /** Whether the run was applied together with what other partitions handed in with it. */
  private async goesTogether(
    batch: RecordBatch,
    claim: PartitionClaim,
    run: readonly DecodedRecord[],
  ): Promise<boolean> {
    if (!batch.isLive() || this.suspects.has(nameOf(batch), run[0]!.record.offset)) return false;
    return this.together.apply(claim, run);
  }

  private async work(job: Job, run: readonly DecodedRecord[]): Promise<void> {
    const { batch, claim } = job;
    if (!batch.isLive()) throw new FencedError(`${nameOf(batch)} was taken away`);
    const [first, ...others] = run;
    if (others.length === 0) return this.applyOne(job, first!);
    // Found before: to search it again would cost a statement's timeout at every halving.
    if (this.suspects.has(nameOf(batch), first!.record.offset)) {
      await this.applyOne(job, first!);
      return this.work(job, others);
    }
    try {
      return await this.apply(claim, run);
    } catch (error) {
      if (kindOf(error) === 'infrastructure') throw error;
    }
    // Someone in here is at fault. Halves find it in a few transactions, and the good ones stay in batches.
    const middle = Math.ceil(run.length / 2);
    for (const half of [run.slice(0, middle), run.slice(middle)]) {
      job.moved();
      await batch.heartbeat();
      await this.work(job, half);
    }
  }

  private async apply(claim: PartitionClaim, run: readonly DecodedRecord[]): Promise<void> {
    const begun = this.time.now();
    this.applied(await this.applier.apply(claim, run), begun);
  }

  private applied({ plan, promoted }: Attempt, begun: number): void {
    this.suspects.applied(plan.apply, begun);
    for (const { record, event } of plan.apply) this.log.debug?.(appliedLine(record, event));
    if (plan.bury.length + plan.replays.length + promoted === 0) return;
    for (const listener of this.listeners) listener();
  }

  private async applyOne(job: Job, decoded: DecodedRecord): Promise<void> {
    const { claim } = job;
    try {
      await processWithRetry(() => this.apply(claim, [decoded]), {
        retries: this.options.maxRetries,
        backoffMs: this.options.retryBackoffMs,
        onRetry: () => metrics.retries.inc(),
        ...this.time,
      });
      this.suspects.forget(nameOf(claim));
    } catch (error) {
      if (decoded.kind === 'bad') throw error;
      const verdict = error instanceof GaveUpError ? error : await this.verdictOn(job, decoded, error);
      if (!verdict) throw error;
      await this.bury(claim, decoded, verdict);
    }
  }

  /** Whether an event is to blame for an error of a suspect class: tried as often as others, and others go through. */
  private async verdictOn(
    { batch, claim }: Job,
    good: GoodRecord,
    error: unknown,
  ): Promise<GaveUpError | null> {
    if (kindOf(error) !== 'suspect') return null;
    const { tries, othersWent } = this.suspects.failed(nameOf(batch), good);
    if (tries <= this.options.maxRetries) return null;
    if (othersWent) return new GaveUpError(tries - 1, error);
    const others = batch.records
      .filter(({ offset }) => offset > good.record.offset)
      .map(decodeRecord)
      .filter((one): one is GoodRecord => one.kind === 'event' && isComparable(one.event, good.event))
      .slice(0, WITNESSES);
    const innocent = others.length === 0 || !(await this.applier.wouldApply(claim, others));
    return innocent ? null : new GaveUpError(tries - 1, error);
  }

  private async bury(
    claim: PartitionClaim,
    good: GoodRecord,
    { cause, retries }: GaveUpError,
  ): Promise<void> {
    await this.apply(claim, [buried(good, cause, retries)]);
    this.suspects.forget(nameOf(claim));
    this.log.error(
      `event ${good.event.eventId} (${good.event.type}, trace ${traceIdOf(good.event.traceparent ?? '')}) went to the dead letters after ${retries} retries: ${describeFailure(cause).cause}`,
    );
  }

  /** What to answer when a batch could not be worked through: the offset that stands, or the error. */
  private async interrupted(error: unknown, claim: PartitionClaim): Promise<bigint> {
    if (error instanceof FencedError) {
      const standing = await this.offsets.standing(claim);
      // Our own commit, whose answer was lost with the connection.
      if (standing !== null && standing !== claim.next) return (claim.next = standing);
      if (this.claims.get(nameOf(claim)) === claim) this.claims.delete(nameOf(claim));
      throw error;
    }
    if (!['infrastructure', 'suspect'].includes(kindOf(error))) throw error;
    this.report(claim, error);
    return claim.next;
  }

  private report(claim: PartitionClaim, error: unknown): void {
    const { cause } = describeFailure(error);
    if (cause !== this.lastError) this.log.warn(`${nameOf(claim)} waits at ${claim.next}: ${cause}`);
    this.lastError = cause;
  }
}

/** Events behind a suspect that are tried, and undone, to see whether it alone fails. */
const WITNESSES = 10;

/** Another key's event that takes the same way. */
const isComparable = (one: IncomingEvent, other: IncomingEvent): boolean =>
  one.aggregateType === other.aggregateType && keyOf(one) !== keyOf(other);

/** A batch in hand. */
interface Job {
  readonly batch: RecordBatch;
  readonly claim: PartitionClaim;
  readonly moved: () => void;
}

const nameOf = ({ topic, partition }: { readonly topic: string; readonly partition: number }): string =>
  `${topic}/${partition}`;

const appliedLine = ({ partition, offset }: IncomingRecord, event: IncomingEvent): object => ({
  msg: 'event applied',
  traceId: traceIdOf(event.traceparent ?? ''),
  correlationId: event.correlationId,
  tenantId: event.tenantId,
  eventId: event.eventId,
  type: event.type,
  partition,
  offset: String(offset),
});
