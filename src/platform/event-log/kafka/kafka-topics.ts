import kafkajs, { type Admin } from 'kafkajs';
import { LogUnavailableError, type TopicSpec } from '../event-log.js';
import { UnknownTopicError } from '../unknown-topic-error.js';
import {
  planChanges,
  replicasOf,
  settingsOf,
  type ChangePlan,
  type FoundTopic,
  type TopicReport,
} from './topic-plan.js';
import { createKafka, disconnect, type KafkaSettings, REQUEST_TIMEOUT_MS, RETRY } from './kafka-client.js';
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
const { ConfigResourceTypes, ConfigSource } = kafkajs;

/** Waits for a partition's leader, which takes over a moment after its topic was made or its predecessor left, ms. */
const TAKE_OVER_MS = [50, 100, 200, 400, 800];

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
      const missing = topics.filter((topic) => !existing.has(topic.name));
      if (missing.length > 0) await create(admin, missing, brokers.length);
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

  /**
   * Brings topics to what is wanted as far as that is safe, and tells what it found and did. Missing ones are created; settings
   * change where no record is lost and none that was taken before is refused. Partitions never become fewer, and more only
   * with `growPartitions`.
   * @param how `dryRun`: looks and tells, changes nothing
   * @throws LogUnavailableError
   */
  async reconcile(
    topics: readonly TopicSpec[],
    how: { readonly dryRun: boolean; readonly growPartitions: boolean },
  ): Promise<TopicReport[]> {
    return this.ask('(reconcile)', async (admin) => {
      const { brokers } = await admin.describeCluster();
      const existing = new Set(await admin.listTopics());
      const reports: TopicReport[] = [];
      for (const topic of topics) {
        if (existing.has(topic.name)) {
          const plan = planChanges(topic, await found(admin, topic.name), brokers.length, how);
          if (!how.dryRun) await apply(admin, topic.name, plan);
          reports.push({ name: topic.name, created: false, changed: plan.changes, drift: plan.drift });
        } else {
          if (!how.dryRun) await create(admin, [topic], brokers.length);
          reports.push({
            name: topic.name,
            created: true,
            changed: [],
            drift: [],
          });
        }
      }
      return reports;
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
    const question = async (admin: Admin): Promise<Map<number, OffsetRange>> => {
      const offsets = await admin.fetchTopicOffsets(topic);
      return new Map(
        offsets.map(({ partition, low, high }) => [partition, { low: BigInt(low), high: BigInt(high) }]),
      );
    };
    for (let tries = 0; ; tries++)
      try {
        return await this.ask(topic, question);
      } catch (error) {
        const waitMs = TAKE_OVER_MS[tries];
        // kafkajs gives up at once where its metadata name a broker that doesn't lead yet, or no longer.
        if (waitMs === undefined || protocolTypeOf(error) !== 'NOT_LEADER_FOR_PARTITION') throw error;
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
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
      await disconnect(admin);
    }
  }
}

async function create(admin: Admin, topics: readonly TopicSpec[], brokers: number): Promise<void> {
  await admin.createTopics({
    topics: topics.map((topic) => ({
      topic: topic.name,
      numPartitions: topic.partitions,
      replicationFactor: replicasOf(topic, brokers),
      configEntries: Object.entries(settingsOf(topic, brokers)).map(([name, value]) => ({ name, value })),
    })),
    waitForLeaders: false,
  });
  await haveLeaders(
    admin,
    topics.map(({ name }) => name),
  );
}

/** What a broker says of a topic of which it has not heard yet. */
const NOT_YET = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE']);

/** Waits until the brokers know topics that were just made: kafkajs's own wait takes the first of these answers for an error. */
async function haveLeaders(admin: Admin, topics: string[]): Promise<void> {
  for (const deadline = performance.now() + REQUEST_TIMEOUT_MS; ;) {
    try {
      await admin.fetchTopicMetadata({ topics });
      return;
    } catch (error) {
      if (!NOT_YET.has(protocolTypeOf(error) ?? '') || performance.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A topic as the brokers have it. */
async function found(admin: Admin, name: string): Promise<FoundTopic> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [name] });
  const partitions = topics[0]?.partitions ?? [];
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name }],
  });
  const entries = resources[0]?.configEntries ?? [];
  return {
    partitions: partitions.length,
    replicas: Math.min(...partitions.map(({ replicas }) => replicas.length)),
    settings: new Map(entries.map(({ configName, configValue }) => [configName, configValue])),
    own: new Set(
      entries
        .filter(({ configSource }) => configSource === ConfigSource.TOPIC_CONFIG)
        .map(({ configName }) => configName),
    ),
  };
}

async function apply(admin: Admin, name: string, { settings, partitions }: ChangePlan): Promise<void> {
  // Kafka's old request, the one that kafkajs knows, unsets whatever it does not name: the plan holds them all.
  if (settings !== null)
    await admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: ConfigResourceTypes.TOPIC,
          name,
          configEntries: [...settings].map(([setting, value]) => ({ name: setting, value })),
        },
      ],
    });
  if (partitions !== null)
    await admin.createPartitions({ topicPartitions: [{ topic: name, count: partitions }] });
}
