/** One record to append. `partition` is chosen by the caller (from the key's slot), so that a key never changes partition by accident. */
export interface LogRecord {
  readonly partition: number;
  readonly key: string;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a partition holds: from `start` up to and without `end`, the offset that its next record will get. */
export interface OffsetRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** Where an appended record landed. */
export interface LogPosition {
  readonly partition: number;
  readonly offset: bigint;
}

/** A record as it is read back. `value` may be anything, or null, when a stranger wrote it. */
export interface ReadRecord {
  readonly partition: number;
  readonly offset: bigint;
  readonly key: string | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  /** When the log took it, ms since 1970. */
  readonly timestamp: number;
}

/** A bounded run of records of one partition, in offset order. */
export interface RecordBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly ReadRecord[];
  /** What was read with them and follows them: the next batch, as a rule. A handler that waits may look at it. */
  readonly ahead?: readonly ReadRecord[];
  /** The offset that the log's next record will get: lag = highWatermark - (last offset + 1). */
  readonly highWatermark: bigint;
  /** Keeps the assignment alive during long work; throws once the assignment is lost. */
  heartbeat(): Promise<void>;
  /** False once the partition was revoked: stop and commit nothing. */
  isLive(): boolean;
}

/**
 * What a consumer does with its partitions. The log keeps no offsets of its own: the consumer's database is the truth.
 */
export interface BatchHandler {
  /**
   * A partition was assigned. Answers the offset to read from (null: from the beginning).
   * Called before its first batch of every assignment.
   */
  assigned(topic: string, partition: number): Promise<bigint | null>;
  /** The partition was taken away or given up. */
  revoked(topic: string, partition: number): Promise<void>;
  /**
   * Works through the batch and answers the next offset to read. An answer below the batch's end reads again from there
   * (after `PAUSE_MS`, see adapters): that is how an infrastructure error pauses a partition without burning an attempt.
   * A throw makes the adapter read the same batch again, after a back-off.
   */
  batch(batch: RecordBatch): Promise<bigint>;
}

/** How a subscription is doing, for probes and metrics. */
export interface SubscriptionStatus {
  /** True while the subscription is joined and its loop moves. */
  readonly connected: boolean;
  readonly partitions: readonly number[];
  /** How often it had to be made anew after a crash. */
  readonly restarts: number;
  readonly lastError: string | null;
}

export interface Subscription {
  status(): SubscriptionStatus;
  /** Finishes the batch in hand, gives the partitions back, closes. */
  stop(): Promise<void>;
}

export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  /** Time that records are kept, ms. */
  readonly retentionMs: number;
  readonly maxMessageBytes: number;
  /** Copies of each record; fewer where there are fewer brokers. 3 unless told. Kafka's alone, as the next. */
  readonly replicas?: number;
  /** Copies that must have a record before it is acknowledged; always fewer than there are, so that one may fail. 2 unless told. */
  readonly minInsync?: number;
}

export interface SubscribeOptions {
  readonly topic: string;
  readonly group: string;
  readonly maxBatchRecords: number;
  readonly maxBatchBytes: number;
}

/** The broker answered that this record can never be taken (for instance too large): retrying the same bytes is useless. */
export class RecordRefusedError extends Error {
  override readonly name = 'RecordRefusedError';
}

/** The log could not be reached, or didn't answer: whether the records were taken is unknown. Burns no attempt of any record. */
export class LogUnavailableError extends Error {
  override readonly name = 'LogUnavailableError';
}

/**
 * The ordered, partitioned log between outbox and consumers. Adapters: Kafka (production), PostgreSQL (the embedded default),
 * memory (tests); all pass `test/support/event-log-conformance.ts`. At-least-once: duplicates are expected, loss is not.
 * An abstract class, so that it is its own injection token.
 */
export abstract class EventLog {
  /** Creates the topics that are missing and never shrinks one. Safe to call at every start. */
  abstract provision(topics: readonly TopicSpec[]): Promise<void>;
  /** Number of partitions of an existing topic. */
  abstract partitionCount(topic: string): Promise<number>;
  /** What each partition holds, in their order. What was acknowledged outside of it is lost. @throws LogUnavailableError */
  abstract ranges(topic: string): Promise<OffsetRange[]>;
  /**
   * Appends the records, in order within each partition, durably; answers their positions in the order given.
   * One call per partition at a time is the caller's duty.
   * @throws RecordRefusedError nothing of the refused partition was appended
   * @throws LogUnavailableError
   */
  abstract append(topic: string, records: readonly LogRecord[]): Promise<LogPosition[]>;
  abstract subscribe(options: SubscribeOptions, handler: BatchHandler): Promise<Subscription>;
  /** Resolves when the log answers within `timeoutMs`. @throws LogUnavailableError */
  abstract ping(timeoutMs: number): Promise<void>;
  abstract close(): Promise<void>;
}
