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
import { UnknownTopicError } from '../unknown-topic-error.js';
import { KafkaAppender } from './kafka-appender.js';
import type { KafkaSettings } from './kafka-client.js';
import { KafkaSubscription } from './kafka-subscription.js';
import { KafkaTopics } from './kafka-topics.js';

/** What a KafkaEventLog has to be told. */
export interface KafkaEventLogOptions {
  /** `host:port` of one broker or more. */
  readonly brokers: readonly string[];
  /** Shown in the broker's logs. */
  readonly clientId?: string;
  /**
   * Silence after which the broker gives the partitions to another consumer, ms; within what the broker allows. As long an append
   * is waited for.
   */
  readonly sessionTimeoutMs?: number;
  readonly timing?: Partial<DeliveryTiming>;
  readonly sink?: LogSink;
}

const SESSION_MS = 10_000;

/** The event log in Kafka, for production. The only folder that knows kafkajs. Connects at the first use and, after an outage, again. */
export class KafkaEventLog extends EventLog {
  private readonly settings: KafkaSettings;
  private readonly timing: DeliveryTiming;
  private readonly topics: KafkaTopics;
  private readonly appender: KafkaAppender;
  private readonly subscriptions = new Set<KafkaSubscription>();

  constructor(private readonly options: KafkaEventLogOptions) {
    super();
    this.settings = {
      brokers: options.brokers,
      clientId: options.clientId ?? 'tartware',
      sink: options.sink ?? SILENT_SINK,
    };
    const sessionMs = options.sessionTimeoutMs ?? SESSION_MS;
    // A broker that is back is noticed within a session.
    const backoffMaxMs = Math.min(DEFAULT_TIMING.backoffMaxMs, sessionMs);
    this.timing = { ...DEFAULT_TIMING, backoffMaxMs, ...options.timing };
    this.topics = new KafkaTopics(this.settings);
    // Less than a session: whoever gives his step up after one finds the silent connection gone with his next.
    this.appender = new KafkaAppender(this.settings, this.topics, 0.75 * sessionMs);
  }

  override provision(topics: readonly TopicSpec[]): Promise<void> {
    return this.topics.provision(topics);
  }

  override async partitionCount(topic: string): Promise<number> {
    return (await this.topics.limits(topic)).partitions;
  }

  override async ranges(topic: string): Promise<OffsetRange[]> {
    const ranges = await this.topics.ranges(topic);
    return Array.from({ length: ranges.size }, (_, partition) => {
      const { low, high } = ranges.get(partition)!;
      return { start: low, end: high };
    });
  }

  override append(topic: string, records: readonly LogRecord[]): Promise<LogPosition[]> {
    return this.appender.append(topic, records);
  }

  /**
   * A broker that is away is waited for in the background; an unknown topic is refused at once.
   * @throws UnknownTopicError
   */
  override async subscribe(options: SubscribeOptions, handler: BatchHandler): Promise<Subscription> {
    const other = [...this.subscriptions]
      .map((each) => each.topicOf(options.group))
      .find((topic) => topic !== null && topic !== options.topic);
    // kafkajs deals the leader's topics out to all members, and those who don't read a topic drop its partitions in silence.
    if (other)
      throw new Error(
        `group ${options.group} reads ${other} already: give ${options.topic} a group of its own`,
      );
    await this.topics.limits(options.topic).catch((error: unknown) => {
      if (error instanceof UnknownTopicError) throw error;
    });
    const subscription = new KafkaSubscription({
      settings: this.settings,
      topics: this.topics,
      options,
      handler,
      timing: this.timing,
      sessionTimeoutMs: this.options.sessionTimeoutMs ?? SESSION_MS,
    });
    this.subscriptions.add(subscription);
    return subscription.start();
  }

  override ping(timeoutMs: number): Promise<void> {
    return this.topics.ping(timeoutMs);
  }

  override async close(): Promise<void> {
    await Promise.all([...this.subscriptions].map((subscription) => subscription.stop()));
    await this.appender.close();
  }
}
