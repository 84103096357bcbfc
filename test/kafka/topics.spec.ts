import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createKafka } from '../../src/platform/event-log/kafka/kafka-client.js';
import kafkajs, { type Admin } from 'kafkajs';
import { Installation, type Ended, type Env } from '../support/service.js';
import type { TopicReport } from '../../src/platform/event-log/kafka/topic-plan.js';

const SILENT = { warn: () => undefined, error: () => undefined };
const { ConfigResourceTypes } = kafkajs;
const CONFIGS = ['cleanup.policy', 'max.message.bytes', 'min.insync.replicas', 'retention.ms', 'segment.ms'];

/** `tartware topics provision` against a real broker, of which there is one. */
describe('topics provision', () => {
  const serial = `${process.pid}-${Date.now().toString(36)}`;
  const [events, letters] = [`events-${serial}`, `letters-${serial}`];
  let inst: Installation;
  let admin: Admin;
  let brokers: string;

  beforeAll(async () => {
    brokers = process.env['KAFKA_BROKERS'] ?? '';
    inst = await Installation.create({
      KAFKA_BROKERS: brokers,
      RESERVATION_TOPIC: events,
      RESERVATION_DLQ_TOPIC: letters,
      RESERVATION_TOPIC_PARTITIONS: '3',
      RESERVATION_TOPIC_RETENTION_MS: '3600000',
      RESERVATION_DLQ_RETENTION_MS: '7200000',
      KAFKA_MAX_MESSAGE_BYTES: '500000',
    });
    admin = createKafka({ brokers: brokers.split(','), clientId: 'operator', sink: SILENT }).admin();
    await admin.connect();
  }, 60_000);
  afterAll(async () => {
    await admin?.disconnect();
    await inst?.dispose();
  });

  const provision = async (
    args: readonly string[] = [],
    env: Env = {},
  ): Promise<Ended & { topics: TopicReport[] }> => {
    const ended = await inst.cli(['topics', 'provision', '--json', ...args], env);
    return { ...ended, ...(JSON.parse(ended.stdout.trim() || '{}') as { topics: TopicReport[] }) };
  };
  const settings = async (topic: string): Promise<Record<string, string>> => {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: CONFIGS }],
    });
    return Object.fromEntries(
      resources[0]!.configEntries.map(({ configName, configValue }) => [configName, configValue]),
    );
  };
  const partitions = async (topic: string): Promise<number> =>
    (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]!.partitions.length;
  /** As another hand at Kafka's own tools would. */
  const meddle = (topic: string, changed: Record<string, string>): Promise<unknown> =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: ConfigResourceTypes.TOPIC,
          name: topic,
          configEntries: Object.entries(changed).map(([name, value]) => ({ name, value })),
        },
      ],
    });

  it('creates both topics as they are configured, after a dry run that creates nothing, and then finds nothing to do', async () => {
    const dry = await provision(['--dry-run']);
    expect([dry.code, dry.topics.map(({ created }) => created)]).toEqual([0, [true, true]]);
    expect(await admin.listTopics()).not.toContain(events);
    const made = await provision();
    expect([made.code, made.topics.map(({ name, created }) => [name, created])]).toEqual([
      0,
      [
        [events, true],
        [letters, true],
      ],
    ]);
    const common = { 'cleanup.policy': 'delete', 'min.insync.replicas': '1' };
    expect(await settings(events)).toMatchObject({
      ...common,
      'retention.ms': '3600000',
      'max.message.bytes': '500000',
    });
    expect(await settings(letters)).toMatchObject({
      ...common,
      'retention.ms': '7200000',
      'max.message.bytes': '1000000',
    });
    expect([await partitions(events), await partitions(letters)]).toEqual([3, 3]);
    const again = await provision();
    expect([again.code, again.topics]).toEqual([
      0,
      [events, letters].map((name) => ({ name, created: false, changed: [], drift: [] })),
    ]);
  }, 60_000);

  it('mends what is safe, and keeps every other setting of the topic', async () => {
    await meddle(events, {
      'cleanup.policy': 'compact',
      'max.message.bytes': '400000',
      'retention.ms': '60000',
      'segment.ms': '1234567',
    });
    const dry = await provision(['--dry-run']);
    expect((await settings(events))['cleanup.policy']).toBe('compact');
    const mended = await provision();
    expect([mended.code, mended.topics[0]!.changed]).toEqual([0, dry.topics[0]!.changed]);
    expect(await settings(events)).toMatchObject({
      'cleanup.policy': 'delete',
      'retention.ms': '3600000',
      'max.message.bytes': '500000',
      'segment.ms': '1234567',
    });
  }, 60_000);

  it('tells of what it leaves, and ends with 3: a shorter retention, fewer partitions, more without being told', async () => {
    const shorter = await provision([], { RESERVATION_TOPIC_RETENTION_MS: '1800000' });
    expect([shorter.code, shorter.topics[0]!.drift]).toMatchObject([
      3,
      [{ setting: 'retention.ms', from: '3600000', to: '1800000' }],
    ]);
    expect((await settings(events))['retention.ms']).toBe('3600000');
    for (const [env, args] of [
      [{ RESERVATION_TOPIC_PARTITIONS: '2' }, ['--grow-partitions']],
      [{ RESERVATION_TOPIC_PARTITIONS: '4' }, []],
    ] as const) {
      const { code, topics } = await provision(args, env);
      expect([code, topics[0]!.drift]).toMatchObject([3, [{ setting: 'partitions', from: '3' }]]);
      expect(await partitions(events)).toBe(3);
    }
  }, 60_000);

  it('adds partitions when it is told to, with a warning', async () => {
    const { code, topics, stderr } = await provision(['--grow-partitions'], {
      RESERVATION_TOPIC_PARTITIONS: '4',
    });
    expect([code, topics[0]!.changed]).toEqual([0, [{ setting: 'partitions', from: '3', to: '4' }]]);
    expect(stderr).toMatch(/Keys move/);
    expect(await partitions(events)).toBe(4);
  }, 60_000);

  it('ends with 5 where no broker answers', async () => {
    const { code, stdout } = await inst.cli(['topics', 'provision'], { KAFKA_BROKERS: '127.0.0.1:1' });
    expect([code, stdout]).toEqual([5, '']);
  }, 60_000);
});
