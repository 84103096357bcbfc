import type pg from 'pg';
import type { Sql } from '../../database/sql.js';
import {
  EventLog,
  LogUnavailableError,
  RecordRefusedError,
  type BatchHandler,
  type LogPosition,
  type LogRecord,
  type OffsetRange,
  type ReadRecord,
  type SubscribeOptions,
  type Subscription,
  type TopicSpec,
} from '../event-log.js';
import { DEFAULT_TIMING, type DeliveryTiming } from '../delivery/delivery.js';
import { type LogSink, messageOf, SILENT_SINK } from '../delivery/log-sink.js';
import type { LogSlice } from '../delivery/partition-runner.js';
import { requireAcceptable } from '../delivery/record-size.js';
import { UnknownTopicError } from '../unknown-topic-error.js';
import { AppendNotifier } from './append-notifier.js';
import { OwnershipSession } from './ownership-session.js';
import { PostgresSubscription } from './postgres-subscription.js';
import {
  APPEND,
  CREATE_PARTITIONS,
  CREATE_TOPIC,
  LIST_TOPICS,
  RANGES,
  PING,
  PRUNE,
  READ,
  READ_TOPIC,
} from './statements.js';

/** What a PostgresEventLog can be told. */
export interface PostgresEventLogOptions {
  /** Longest time that an append of another process goes unnoticed when its NOTIFY is lost, ms. */
  readonly pollMs?: number;
  readonly timing?: Partial<DeliveryTiming>;
  readonly sink?: LogSink;
}

/** Rows that one DELETE of `prune` may touch: short enough that nothing waits for it. */
const PRUNE_CHUNK = 5_000;

/**
 * The event log in PostgreSQL, the embedded default. `pool` is the background role's; it isn't closed here. Every
 * subscription opens one connection besides (OwnershipSession). Within a group the first comer takes every free partition;
 * another gets them when it stops or dies.
 */
export class PostgresEventLog extends EventLog {
  private readonly timing: DeliveryTiming;
  private readonly sink: LogSink;
  private readonly pollMs: number;
  private readonly notifier: AppendNotifier;
  private readonly specs = new Map<string, TopicSpec>();
  private readonly subscriptions = new Set<PostgresSubscription>();

  constructor(
    private readonly pool: pg.Pool,
    options: PostgresEventLogOptions = {},
  ) {
    super();
    this.pollMs = options.pollMs ?? 500;
    this.timing = { ...DEFAULT_TIMING, ...options.timing };
    this.sink = options.sink ?? SILENT_SINK;
    this.notifier = new AppendNotifier(pool);
  }

  /** Creates what is missing; of a topic that exists, sets retention and size, and leaves the count of partitions alone. */
  override async provision(topics: readonly TopicSpec[]): Promise<void> {
    for (const { name, partitions, retentionMs, maxMessageBytes } of topics) {
      const rows = await this.query<{ partitions: number }>(CREATE_TOPIC, [
        name,
        partitions,
        retentionMs,
        maxMessageBytes,
      ]);
      const existing = rows[0]!.partitions;
      await this.query(CREATE_PARTITIONS, [name, existing]);
      this.specs.delete(name);
      if (existing !== partitions) {
        this.sink.warn(
          `topic ${name} keeps its ${existing} partitions (not ${partitions}): another number would move keys and break their order`,
        );
      }
    }
  }

  override async partitionCount(topic: string): Promise<number> {
    return (await this.spec(topic)).partitions;
  }

  override async ranges(topic: string): Promise<OffsetRange[]> {
    await this.spec(topic);
    const rows = await this.query<{ start: string; end: string }>(RANGES, [topic]);
    return rows.map(({ start, end }) => ({ start: BigInt(start), end: BigInt(end) }));
  }

  override async append(topic: string, records: readonly LogRecord[]): Promise<LogPosition[]> {
    if (records.length === 0) return [];
    requireAcceptable(topic, records, await this.spec(topic));
    const counts = new Map<number, number>();
    const places = records.map(({ partition }) => {
      const place = counts.get(partition) ?? 0;
      counts.set(partition, place + 1);
      return place;
    });
    const rows = await this.query<{ partition: number; base: string }>(APPEND, [
      topic,
      [...counts.keys()],
      [...counts.values()],
      records.map((record) => record.partition),
      places,
      records.map((record) => record.key),
      records.map((record) => record.value),
      records.map((record) => JSON.stringify(record.headers)),
    ]);
    const bases = new Map(rows.map((row) => [row.partition, BigInt(row.base)]));
    this.notifier.appended(topic, [...counts.keys()]);
    return records.map(({ partition }, i) => ({
      partition,
      offset: bases.get(partition)! + BigInt(places[i]!),
    }));
  }

  override async subscribe(options: SubscribeOptions, handler: BatchHandler): Promise<Subscription> {
    const { partitions } = await this.spec(options.topic);
    const subscription = new PostgresSubscription({
      context: {
        options,
        handler,
        timing: this.timing,
        sink: this.sink,
        read: (partition, from) => this.read(options, partition, from),
      },
      partitions,
      pollMs: this.pollMs,
      notifier: this.notifier,
      openSession: (onLost) =>
        new OwnershipSession(this.pool, options.group, options.topic, onLost, (payload) =>
          this.notifier.received(payload),
        ),
    });
    this.subscriptions.add(subscription);
    return subscription.start();
  }

  override async ping(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new LogUnavailableError(`PostgreSQL didn't answer within ${timeoutMs} ms`)),
        timeoutMs,
      );
    });
    await Promise.race([this.query(PING, []), late]).finally(() => clearTimeout(timer));
  }

  /** Stops what was subscribed; the pool stays open. */
  override async close(): Promise<void> {
    await Promise.all([...this.subscriptions].map((subscription) => subscription.stop()));
    await this.notifier.close();
  }

  /**
   * Deletes records older than their topic's retention and answers how many. For the maintenance loop; nothing here calls it.
   * It asks nobody whether they were read: as in Kafka, a group that lags by more than the retention loses records (and its
   * subscription reports the gap at error level).
   */
  async prune(): Promise<number> {
    let total = 0;
    for (const { topic, partitions } of await this.query<{ topic: string; partitions: number }>(
      LIST_TOPICS,
      [],
    )) {
      for (let partition = 0; partition < partitions; partition += 1) {
        for (let deleted = PRUNE_CHUNK; deleted === PRUNE_CHUNK; total += deleted) {
          deleted = await this.count(PRUNE, [topic, partition, PRUNE_CHUNK]);
        }
      }
    }
    return total;
  }

  private async read(options: SubscribeOptions, partition: number, from: bigint): Promise<LogSlice> {
    interface Row {
      next_offset: string;
      offset: string | null;
      key: string | null;
      value: Buffer | null;
      headers: Record<string, string>;
      ms: number;
    }
    const { topic, maxBatchRecords, maxBatchBytes } = options;
    const rows = await this.query<Row>(READ, [
      topic,
      partition,
      from.toString(),
      maxBatchRecords,
      maxBatchBytes,
    ]);
    if (rows.length === 0) throw new UnknownTopicError(topic);
    const records: ReadRecord[] = [];
    for (const { offset, key, value, headers, ms } of rows) {
      if (offset !== null)
        records.push({ partition, offset: BigInt(offset), key, value, headers, timestamp: Math.floor(ms) });
    }
    return { records, highWatermark: BigInt(rows[0]!.next_offset) };
  }

  private async spec(topic: string): Promise<TopicSpec> {
    const known = this.specs.get(topic);
    if (known) return known;
    interface Row {
      partitions: number;
      retention_ms: string;
      max_message_bytes: number;
    }
    const [row] = await this.query<Row>(READ_TOPIC, [topic]);
    if (!row) throw new UnknownTopicError(topic);
    const spec = {
      name: topic,
      partitions: row.partitions,
      retentionMs: Number(row.retention_ms),
      maxMessageBytes: row.max_message_bytes,
    };
    this.specs.set(topic, spec);
    return spec;
  }

  private async query<Row extends pg.QueryResultRow>(statement: Sql, values: unknown[]): Promise<Row[]> {
    return this.ask(async () => (await this.pool.query<Row>({ ...statement, values })).rows);
  }

  private async count(statement: Sql, values: unknown[]): Promise<number> {
    return this.ask(async () => (await this.pool.query({ ...statement, values })).rowCount ?? 0);
  }

  private async ask<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      // Class 22, data exception: PostgreSQL can't store these bytes (NUL in a key or a header) and never will.
      if (/^22/.test((error as { code?: string }).code ?? '')) {
        throw new RecordRefusedError(`PostgreSQL refuses the record: ${messageOf(error)}`, { cause: error });
      }
      throw new LogUnavailableError(`event log in PostgreSQL: ${messageOf(error)}`, { cause: error });
    }
  }
}
