import kafkajs, { type Admin } from 'kafkajs';
import { LogUnavailableError, type TopicSpec } from '../event-log.js';
import { UnknownTopicError } from '../unknown-topic-error.js';
import { createKafka, type KafkaSettings, RETRY } from './kafka-client.js';
import { protocolTypeOf, toLogError } from './kafka-errors.js';

/** What a topic takes. */
export interface TopicLimits {
  readonly partitions: number;
  readonly maxMessageBytes: number;
}

/** First offset that a partition still has, and the one that its next record will get. */
export interface OffsetRange {
  readonly low: bigint;
  readonly high: bigint;
}

// Node finds only the first few names of kafkajs's CommonJS exports; the others are to be had from the default import.
const { ConfigResourceTypes } = kafkajs;

/** Three copies wherever there are three brokers, and no acknowledgement from one alone. */
const REPLICAS = 3;

/** Topics as the brokers know them. A connection a question: they are few, and none has to survive a broker's restart. */
export class KafkaTopics {
  constructor(private readonly settings: KafkaSettings) {}

  /**
   * Creates missing topics; one that exists is left as its operator set it. The number of partitions is never changed: a
   * key's slot would move to another partition, and its later events would overtake its earlier ones.
   */
  async provision(topics: readonly TopicSpec[]): Promise<void> {
    await this.ask('(provision)', async (admin) => {
      const { brokers } = await admin.describeCluster();
      const existing = new Set(await admin.listTopics());
      const replicas = Math.min(REPLICAS, brokers.length);
      const missing = topics.filter((topic) => !existing.has(topic.name));
      if (missing.length > 0)
        await admin.createTopics({
          topics: missing.map((topic) => creation(topic, replicas)),
          waitForLeaders: true,
        });
      for (const { name, partitions } of topics.filter((topic) => existing.has(topic.name))) {
        const found = (await this.describe(admin, name)).length;
        if (found !== partitions) {
          this.settings.sink.warn(
            `topic ${name} keeps its ${found} partitions (not ${partitions}): another number would move keys and break their order`,
          );
        }
      }
    });
  }

  /** @throws UnknownTopicError, LogUnavailableError */
  async limits(topic: string): Promise<TopicLimits> {
    return this.ask(topic, async (admin) => {
      const partitions = (await this.describe(admin, topic)).length;
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: ['max.message.bytes'] }],
      });
      return {
        partitions,
        maxMessageBytes: Number(resources[0]?.configEntries[0]?.configValue ?? 1_000_000),
      };
    });
  }

  /** The range of every partition. @throws UnknownTopicError, LogUnavailableError */
  async ranges(topic: string): Promise<Map<number, OffsetRange>> {
    return this.ask(topic, async (admin) => {
      const offsets = await admin.fetchTopicOffsets(topic);
      return new Map(
        offsets.map(({ partition, low, high }) => [partition, { low: BigInt(low), high: BigInt(high) }]),
      );
    });
  }

  /** @throws LogUnavailableError */
  async ping(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new LogUnavailableError(`Kafka didn't answer within ${timeoutMs} ms`)),
        timeoutMs,
      );
    });
    const answer = this.ask('(ping)', (admin) => admin.describeCluster(), 0);
    await Promise.race([answer, late]).finally(() => clearTimeout(timer));
  }

  private async describe(admin: Admin, topic: string): Promise<unknown[]> {
    try {
      return (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]?.partitions ?? [];
    } catch (error) {
      throw protocolTypeOf(error) === 'UNKNOWN_TOPIC_OR_PARTITION' ? new UnknownTopicError(topic) : error;
    }
  }

  private async ask<T>(
    topic: string,
    question: (admin: Admin) => Promise<T>,
    retries = RETRY.retries ?? 0,
  ): Promise<T> {
    const admin = createKafka(this.settings, { ...RETRY, retries }).admin();
    try {
      await admin.connect();
      return await question(admin);
    } catch (error) {
      throw toLogError(topic, error);
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }
}

function creation({ name, partitions, retentionMs, maxMessageBytes }: TopicSpec, replicas: number) {
  return {
    topic: name,
    numPartitions: partitions,
    replicationFactor: replicas,
    configEntries: [
      { name: 'cleanup.policy', value: 'delete' },
      { name: 'retention.ms', value: String(retentionMs) },
      { name: 'max.message.bytes', value: String(maxMessageBytes) },
      { name: 'min.insync.replicas', value: String(Math.max(1, replicas - 1)) },
    ],
  };
}
