import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { LogUnavailableError } from '../../src/platform/event-log/event-log.js';
import { createKafka } from '../../src/platform/event-log/kafka/kafka-client.js';
import { KafkaEventLog } from '../../src/platform/event-log/kafka/kafka-event-log.js';
import { newId } from '../../src/platform/kernel/ids.js';
import { type Broker, startBroker } from '../../tools/kafka/broker.mjs';
import { FedConsumer } from '../support/fed-consumer.js';
import { reservationData, ReliablePath } from '../support/reliable-path.js';

const SILENT = { warn: () => undefined, error: () => undefined };

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

/** The twins of test/integration/peer-failures.spec.ts that need a broker: one of their own each, which they may kill. */
describe('what others got wrong with Kafka:', () => {
  let dir: string;
  let ports: { port: number; controllerPort: number };
  let broker: Broker;
  let path: ReliablePath;
  let log: KafkaEventLog;
  /** Of each test its own: the broker is one, the databases are many. */
  let from: { topic: string; group: string };

  const start = (): Promise<Broker> => startBroker({ dir, ...ports });
  const publish = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++)
      await path.reserve(
        `${newId().slice(0, -1)}0`,
        1,
        reservationData({
          propertyId: path.house.propertyId,
          status: 'CONFIRMED',
          arrival: '2027-03-01',
          nightlyMinor: [100],
        }),
      );
  };
  /** Sends until the log takes it, as the relay's loop does. */
  const send = async (relay: ReturnType<ReliablePath['relay']>): Promise<void> => {
    for (;;)
      try {
        while (await relay.runOnce());
        if ((await path.count('outbox_queue')) === 0) return;
      } catch (error) {
        expect(error).toBeInstanceOf(LogUnavailableError);
      }
  };

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'tartware-peers-'));
    ports = { port: await freePort(), controllerPort: await freePort() };
    broker = await start();
  }, 120_000);
  afterAll(async () => {
    await broker.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  beforeEach(async () => {
    path = await ReliablePath.open();
    log = new KafkaEventLog({
      brokers: [`127.0.0.1:${ports.port}`],
      sessionTimeoutMs: 2_000,
      timing: { pauseMs: 10, backoffMinMs: 10, backoffMaxMs: 200 },
    });
    const name = `peers-${newId()}`;
    from = { topic: name, group: name };
    await log.provision([{ name, partitions: 1, retentionMs: 3_600_000, maxMessageBytes: 1_000_000 }]);
  });
  afterEach(async () => {
    await log.close();
    await path.close();
  });

  it('an offset commit that commits nothing: group, broker and database agree, and who comes after is handed nothing before', async () => {
    const relay = path.relay(log, { topic: from.topic });
    const first = await FedConsumer.of(path, log, path.consumer(), from);
    await publish(5);
    await send(relay);
    await first.hasApplied(5);
    await first.stop();
    const admin = createKafka({
      brokers: [`127.0.0.1:${ports.port}`],
      clientId: 'look',
      sink: SILENT,
    }).admin();
    await admin.connect();
    const [topic] = await admin.fetchOffsets({ groupId: from.group, topics: [from.topic] });
    await admin.disconnect();
    const [row] = await path.rows<{ next: string }>(
      `SELECT next_offset::text AS next FROM reservation_event_offsets`,
    );
    expect(topic!.partitions[0]!.offset).toBe(row!.next);
    await publish(1);
    await send(relay);
    const second = await FedConsumer.of(path, log, path.consumer(), from);
    await second.hasApplied(6);
    expect(second.batches).toEqual([[BigInt(row!.next), BigInt(row!.next)]]);
    await second.stop();
  }, 120_000);

  it('events missed while the group was down: the first that comes back applies them', async () => {
    const relay = path.relay(log, { topic: from.topic });
    const first = await FedConsumer.of(path, log, path.consumer(), from);
    await publish(2);
    await send(relay);
    await first.hasApplied(2);
    await first.stop();
    await publish(3);
    await send(relay);
    const back = await FedConsumer.of(path, log, path.consumer(), from);
    await back.hasApplied(5);
    await back.stop();
    expect(await path.count('dead_letters')).toBe(0);
  }, 120_000);

  it("a consumer that stays dead after the broker's restart: it goes on by itself, and readiness shows the gap", async () => {
    const relay = path.relay(log, { topic: from.topic });
    const fed = await FedConsumer.of(path, log, path.consumer(), from);
    await publish(2);
    await send(relay);
    await fed.hasApplied(2);
    await broker.kill();
    await publish(3);
    const sending = send(relay);
    await expect(log.ping(1_000)).rejects.toBeInstanceOf(LogUnavailableError);
    broker = await start();
    await sending;
    await fed.hasApplied(5);
    expect(fed.status().connected).toBe(true);
    expect([await path.count('event_inbox'), await path.count('dead_letters')]).toEqual([5, 0]);
    await fed.stop();
  }, 180_000);
});
