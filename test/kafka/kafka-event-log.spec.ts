import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type LogRecord,
  LogUnavailableError,
  type Subscription,
} from '../../src/platform/event-log/event-log.js';
import { createKafka } from '../../src/platform/event-log/kafka/kafka-client.js';
import {
  KafkaEventLog,
  type KafkaEventLogOptions,
} from '../../src/platform/event-log/kafka/kafka-event-log.js';
import { type Broker, startBroker } from '../../tools/kafka/broker.mjs';
import { describeEventLogConformance } from '../support/event-log-conformance.js';
import { GroupLedger, RecordingHandler } from '../support/recording-handler.js';

const SILENT = { warn: () => undefined, error: () => undefined };
const QUICK: Omit<KafkaEventLogOptions, 'brokers'> = {
  sessionTimeoutMs: 2_000,
  timing: { pauseMs: 10, backoffMinMs: 10, backoffMaxMs: 200 },
};

/** The broker that the environment names. */
function brokers(): string[] {
  const named = process.env['KAFKA_BROKERS'];
  if (!named)
    throw new Error(
      'KAFKA_BROKERS is not set: start a broker with `npm run kafka` and set KAFKA_BROKERS=127.0.0.1:9092',
    );
  return named.split(',');
}

describeEventLogConformance('Kafka', async () => {
  const kafka = createKafka({ brokers: brokers(), clientId: 'stranger', sink: SILENT });
  const producer = kafka.producer({
    allowAutoTopicCreation: false,
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition ?? 0,
  });
  const admin = kafka.admin();
  await producer.connect();
  await admin.connect();
  return {
    open: async () => new KafkaEventLog({ brokers: brokers(), ...QUICK }),
    appendForeign: async (topic, { partition, key, value, headers }) => {
      await producer.send({ topic, messages: [{ partition, key, value, headers: { ...headers } }] });
    },
    truncate: async (topic, partition, offset) => {
      // Makes kafkajs load the topic's metadata, which deleteTopicRecords forgets to do.
      await admin.fetchTopicOffsets(topic);
      await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: `${offset}` }] });
    },
    rebalances: true,
    close: async () => {
      await producer.disconnect();
      await admin.disconnect();
    },
  };
});

const records = (partition: number, count: number, from = 0): LogRecord[] =>
  Array.from({ length: count }, (_, i) => ({
    partition,
    key: `k${partition}`,
    value: Buffer.from(`${from + i}`),
    headers: {},
  }));

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

describe('the event log in Kafka', () => {
  let log: KafkaEventLog;
  let topic: string;
  let serial = 0;

  beforeAll(() => {
    log = new KafkaEventLog({ brokers: brokers(), ...QUICK });
  });

  afterAll(() => log.close());

  const fresh = async (partitions: number): Promise<void> => {
    topic = `kafka-${process.pid}-${Date.now().toString(36)}-${(serial += 1)}`;
    await log.provision([{ name: topic, partitions, retentionMs: 3_600_000, maxMessageBytes: 100_000 }]);
  };
  const subscribe = (handler: RecordingHandler, group: string): Promise<Subscription> =>
    log.subscribe({ topic, group, maxBatchRecords: 50, maxBatchBytes: 1_000_000 }, handler);

  it('trusts the stored offset, not the one that Kafka remembers, and leaves Kafka a copy for lag tools', async () => {
    await fresh(1);
    await log.append(topic, records(0, 5));
    const group = `g-${topic}`;
    const first = new RecordingHandler();
    const subscription = await subscribe(first, group);
    await first.ledger.hasApplied(5);
    await subscription.stop();
    const admin = createKafka({ brokers: brokers(), clientId: 'lag', sink: SILENT }).admin();
    await admin.connect();
    expect(await admin.fetchOffsets({ groupId: group, topics: [topic] })).toMatchObject([
      { partitions: [{ partition: 0, offset: '5' }] },
    ]);
    await admin.disconnect();
    const second = new RecordingHandler();
    second.ledger.offsets.set(0, 2n);
    const again = await subscribe(second, group);
    await second.ledger.hasApplied(3);
    await again.stop();
    expect(second.ledger.values()).toEqual(['2', '3', '4']);
  });

  it('shows a batch what was read with it and follows, which is the next batch', async () => {
    await fresh(1);
    await log.append(topic, records(0, 120));
    const handler = new RecordingHandler();
    const subscription = await subscribe(handler, `g-${topic}`);
    await handler.ledger.hasApplied(120);
    await subscription.stop();
    const [first, second, third] = handler.batches;
    expect(handler.batches.map((batch) => batch.records.length)).toEqual([50, 50, 20]);
    // The very same objects: what was prepared of them is found again.
    expect(first!.ahead!.every((record, i) => record === second!.records[i])).toBe(true);
    expect(second!.ahead!.every((record, i) => record === third!.records[i])).toBe(true);
    expect([first!.ahead!.length, second!.ahead!.length, third!.ahead]).toEqual([50, 20, []]);
  });

  it('takes a list of records that together exceed max.message.bytes, which Kafka counts a request', async () => {
    await fresh(2);
    const large = Array.from({ length: 40 }, (_, i) => ({
      partition: i % 2,
      key: 'k',
      value: Buffer.alloc(30_000, i),
      headers: {},
    }));
    const positions = await log.append(topic, large);
    expect(positions.map(({ partition, offset }) => [partition, Number(offset)])).toEqual(
      large.map((_, i) => [i % 2, i >> 1]),
    );
  });

  it('refuses a second topic in one group, whose partitions kafkajs would deal out to members that do not read it', async () => {
    await fresh(1);
    const subscription = await subscribe(new RecordingHandler(), 'one-topic-only');
    await fresh(1);
    await expect(subscribe(new RecordingHandler(), 'one-topic-only')).rejects.toThrow('of its own');
    await subscription.stop();
  });

  it('says within the given time that no broker answers', async () => {
    const nowhere = new KafkaEventLog({ brokers: [`127.0.0.1:${await freePort()}`], ...QUICK });
    await expect(nowhere.ping(500)).rejects.toBeInstanceOf(LogUnavailableError);
    await expect(nowhere.append('t', records(0, 1))).rejects.toBeInstanceOf(LogUnavailableError);
    const subscription = await nowhere.subscribe(
      { topic: 't', group: 'g', maxBatchRecords: 1, maxBatchBytes: 1 },
      new RecordingHandler(),
    );
    expect(subscription.status().connected).toBe(false);
    await nowhere.close();
  });
});

describe('a Kafka broker that dies', () => {
  const dir = mkdtempSync(join(tmpdir(), 'tartware-kafka-'));
  let broker: Broker;
  let port: number;
  let controllerPort: number;
  const open: KafkaEventLog[] = [];

  const start = (): Promise<Broker> => startBroker({ dir, port, controllerPort });
  const client = (): KafkaEventLog => {
    const made = new KafkaEventLog({ brokers: [`127.0.0.1:${port}`], ...QUICK });
    open.push(made);
    return made;
  };

  beforeAll(async () => {
    [port, controllerPort] = [await freePort(), await freePort()];
    broker = await start();
  }, 120_000);

  afterEach(async () => {
    await Promise.all(open.splice(0).map((log) => log.close()));
  });

  afterAll(async () => {
    await broker.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Appends until the log takes it, as the outbox does. */
  const insist = async (log: KafkaEventLog, topic: string, batch: LogRecord[]): Promise<number> => {
    for (let refusals = 0; ; refusals += 1) {
      try {
        await log.append(topic, batch);
        return refusals;
      } catch (error) {
        expect(error).toBeInstanceOf(LogUnavailableError);
      }
    }
  };

  it('stops nobody for good: killed under load and restarted, every record arrives, in order, and readiness shows the gap', async () => {
    const log = client();
    const topic = 'killed';
    await log.provision([{ name: topic, partitions: 2, retentionMs: 3_600_000, maxMessageBytes: 100_000 }]);
    const ledger = new GroupLedger();
    const handlers = [new RecordingHandler(ledger), new RecordingHandler(ledger)];
    const options = { topic, group: 'survivors', maxBatchRecords: 20, maxBatchBytes: 1_000_000 };
    const [first, second] = [
      await log.subscribe(options, handlers[0]!),
      await client().subscribe(options, handlers[1]!),
    ];
    const both = [first, second] as const;

    const load = [0, 1].map(async (partition) => {
      let refusals = 0;
      for (let i = 0; i < 200; i += 1) refusals += await insist(log, topic, records(partition, 5, i * 5));
      return refusals;
    });
    await ledger.hasApplied(100);
    await broker.kill();
    await expect(log.ping(1_000)).rejects.toBeInstanceOf(LogUnavailableError);
    broker = await start();
    const refusals = await Promise.all(load);
    expect(Math.max(...refusals)).toBeGreaterThan(0);

    const distinct = (partition: number): Set<string> => new Set(ledger.values(partition));
    await ledger.events.until(
      'all 2000 records applied',
      () => distinct(0).size + distinct(1).size === 2_000,
    );
    for (const partition of [0, 1]) {
      const offsets = ledger.applied.filter((r) => r.partition === partition).map((r) => Number(r.offset));
      expect(offsets).toEqual(offsets.map((_, i) => i));
      expect([...distinct(partition)]).toEqual(Array.from({ length: 1_000 }, (_, i) => `${i}`));
    }
    expect(ledger.overlaps).toEqual([]);
    expect(both.map((subscription) => subscription.status().connected)).toEqual([true, true]);
  }, 180_000);

  it('is waited for by a consumer that starts while it is away', async () => {
    const before = client();
    await before.provision([
      { name: 'later', partitions: 1, retentionMs: 3_600_000, maxMessageBytes: 100_000 },
    ]);
    await before.append('later', records(0, 3));
    await broker.kill();
    const handler = new RecordingHandler();
    const subscription = await client().subscribe(
      { topic: 'later', group: 'early-bird', maxBatchRecords: 10, maxBatchBytes: 1_000_000 },
      handler,
    );
    expect(subscription.status()).toMatchObject({ connected: false, partitions: [] });
    expect(subscription.status().lastError).not.toBeNull();
    broker = await start();
    await handler.ledger.hasApplied(3);
    expect(subscription.status()).toMatchObject({ connected: true, partitions: [0] });
    expect(subscription.status().restarts).toBeGreaterThan(0);
  }, 120_000);
});
