import {
  EventLog,
  type BatchHandler,
  type LogPosition,
  type LogRecord,
  type OffsetRange,
  type SubscribeOptions,
  type Subscription,
  type TopicSpec,
} from '../event-log.js';
import { DEFAULT_TIMING, type DeliveryTiming } from '../delivery/delivery.js';
import { type LogSink, SILENT_SINK } from '../delivery/log-sink.js';
import { MemoryGroup, MemorySubscription } from './memory-group.js';
import { MemoryLogStore } from './memory-log-store.js';

/** What a MemoryEventLog can be told. */
export interface MemoryEventLogOptions {
  /** Shared between clients of one log; of its own by default. */
  readonly store?: MemoryLogStore;
  readonly timing?: Partial<DeliveryTiming>;
  readonly sink?: LogSink;
}

/** The event log of tests: everything in this process, nothing durable, the port's behaviour otherwise whole. */
export class MemoryEventLog extends EventLog {
  readonly store: MemoryLogStore;
  private readonly timing: DeliveryTiming;
  private readonly sink: LogSink;
  private readonly subscriptions = new Set<MemorySubscription>();

  constructor(options: MemoryEventLogOptions = {}) {
    super();
    this.store = options.store ?? new MemoryLogStore();
    this.timing = { ...DEFAULT_TIMING, ...options.timing };
    this.sink = options.sink ?? SILENT_SINK;
  }

  override async provision(topics: readonly TopicSpec[]): Promise<void> {
    for (const topic of topics) this.store.create(topic);
  }

  override async partitionCount(topic: string): Promise<number> {
    return this.store.spec(topic).partitions;
  }

  override async ranges(topic: string): Promise<OffsetRange[]> {
    return this.store.ranges(topic);
  }

  override async append(topic: string, records: readonly LogRecord[]): Promise<LogPosition[]> {
    const offsets = this.store.append(topic, records);
    return records.map(({ partition }, i) => ({ partition, offset: offsets[i]! }));
  }

  override async subscribe(options: SubscribeOptions, handler: BatchHandler): Promise<Subscription> {
    const { topic, maxBatchRecords, maxBatchBytes } = options;
    const { partitions } = this.store.spec(topic);
    const group = this.store.group(`${options.group}|${topic}`, () => {
      const made = new MemoryGroup(partitions);
      this.store.listen(topic, (partition) => made.wake(partition));
      return made;
    });
    const member = new MemorySubscription(group, {
      options,
      handler,
      timing: this.timing,
      sink: this.sink,
      read: async (partition, from) =>
        this.store.read(topic, partition, from, maxBatchRecords, maxBatchBytes),
      heartbeat: async () => this.store.requireUp(),
    });
    this.subscriptions.add(member);
    await group.join(member);
    return member;
  }

  override async ping(): Promise<void> {
    this.store.requireUp();
  }

  override async close(): Promise<void> {
    await Promise.all([...this.subscriptions].map((subscription) => subscription.stop()));
  }
}
