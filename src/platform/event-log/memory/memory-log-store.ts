import {
  LogUnavailableError,
  type LogRecord,
  type OffsetRange,
  type ReadRecord,
  type TopicSpec,
} from '../event-log.js';
import type { LogSlice } from '../delivery/partition-runner.js';
import { batchLength, requireAcceptable } from '../delivery/record-size.js';
import { UnknownTopicError } from '../unknown-topic-error.js';

interface MemoryTopic {
  readonly spec: TopicSpec;
  /** Records of each partition; the first one's offset is `base`. */
  readonly partitions: { base: bigint; records: ReadRecord[] }[];
  readonly listeners: Set<(partition: number) => void>;
}

/** A record as a stranger may write it. */
export type ForeignRecord = Pick<ReadRecord, 'partition' | 'key' | 'value' | 'headers'>;

/** The broker of the memory adapter: several MemoryEventLogs over one store are clients of one log. */
export class MemoryLogStore {
  /** Set by tests: every call is answered as if the broker were away. */
  down = false;
  private readonly topics = new Map<string, MemoryTopic>();

  create(spec: TopicSpec): void {
    this.requireUp();
    if (this.topics.has(spec.name)) return;
    this.topics.set(spec.name, {
      spec,
      partitions: Array.from({ length: spec.partitions }, () => ({ base: 0n, records: [] })),
      listeners: new Set(),
    });
  }

  /** @throws UnknownTopicError */
  spec(topic: string): TopicSpec {
    return this.topic(topic).spec;
  }

  /** @throws RecordRefusedError, LogUnavailableError */
  append(topic: string, records: readonly LogRecord[]): bigint[] {
    requireAcceptable(topic, records, this.topic(topic).spec);
    return this.write(topic, records);
  }

  /** Writes what no adapter of ours would: a null key or value. */
  write(topic: string, records: readonly ForeignRecord[]): bigint[] {
    const { partitions, listeners } = this.topic(topic);
    const offsets = records.map(({ partition, key, value, headers }) => {
      const log = partitions[partition]!;
      const offset = log.base + BigInt(log.records.length);
      // Copied, as a real log does: a caller that reuses its buffer must not rewrite history.
      log.records.push({
        partition,
        offset,
        key,
        value: value && Buffer.from(value),
        headers: { ...headers },
        timestamp: Date.now(),
      });
      return offset;
    });
    for (const partition of new Set(records.map((record) => record.partition))) {
      for (const listener of listeners) listener(partition);
    }
    return offsets;
  }

  read(topic: string, partition: number, from: bigint, maxRecords: number, maxBytes: number): LogSlice {
    const { base, records } = this.topic(topic).partitions[partition]!;
    const highWatermark = base + BigInt(records.length);
    if (from > highWatermark) return { records: [], highWatermark };
    const start = from > base ? Number(from - base) : 0;
    return {
      records: records.slice(start, start + batchLength(records, start, maxRecords, maxBytes)),
      highWatermark,
    };
  }

  /** What each partition holds. */
  ranges(topic: string): OffsetRange[] {
    return this.topic(topic).partitions.map(({ base, records }) => ({
      start: base,
      end: base + BigInt(records.length),
    }));
  }

  /** What a broker that loses its disk forgets: the records from `offset` on. */
  lose(topic: string, partition: number, offset: bigint): void {
    const log = this.topic(topic).partitions[partition]!;
    log.records.splice(Math.max(Number(offset - log.base), 0));
  }

  /** Everything in the log, partition by partition; for assertions. */
  records(topic: string): ReadRecord[] {
    return this.topic(topic).partitions.flatMap((log) => log.records);
  }

  /** What retention does: forgets the records before `offset`. */
  truncate(topic: string, partition: number, offset: bigint): void {
    const log = this.topic(topic).partitions[partition]!;
    const gone = Math.min(Math.max(Number(offset - log.base), 0), log.records.length);
    log.records.splice(0, gone);
    log.base += BigInt(gone);
  }

  /** Calls `listener` with the partition of every append, until the answer is called. */
  listen(topic: string, listener: (partition: number) => void): () => void {
    const { listeners } = this.topic(topic);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  requireUp(): void {
    if (this.down) throw new LogUnavailableError('the memory log is switched off');
  }

  private topic(name: string): MemoryTopic {
    this.requireUp();
    const topic = this.topics.get(name);
    if (!topic) throw new UnknownTopicError(name);
    return topic;
  }

  private readonly groups = new Map<string, unknown>();

  /** The one object per group that all clients of this store share. */
  group<T>(key: string, make: () => T): T {
    if (!this.groups.has(key)) this.groups.set(key, make());
    return this.groups.get(key) as T;
  }
}
