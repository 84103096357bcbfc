import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { Projectors } from '../../src/modules/consumer/contract/projector.js';
import { EventProcessor } from '../../src/modules/consumer/processing/event-processor.js';
import { OutboxRelay } from '../../src/modules/outbox/relay/outbox-relay.js';
import { loadConfig } from '../../src/platform/config/config.js';
import { DatabaseModule } from '../../src/platform/database/database.module.js';
import { sql } from '../../src/platform/database/sql.js';
import { BackgroundWork } from '../../src/platform/database/unit-of-work.js';
import { newId } from '../../src/platform/kernel/ids.js';
import { withClient } from '../support/fixtures.js';
import { until } from '../support/http-client.js';
import { GROUP, ReliablePath, Reports, TOPIC } from '../support/reliable-path.js';
import { FaultProxy, type Trap } from './proxy.js';

const LEASE_MS = 1_000;
const TRAP: Trap = {
  fault: 'half-open',
  matches: () => true,
  skip: 0,
  all: true,
  forward: false,
  // Longer than the test: only who gives up by himself goes on.
  ms: 600_000,
};
const LOCK = sql('test.lock', `UPDATE outbox_slots SET epoch = epoch WHERE slot = 0 RETURNING slot`);
const NOTHING = sql('test.nothing', `SELECT 1`);

/** A network that swallows everything and closes nothing: no timeout of TCP's helps for hours. */
describe('on half-open connections to PostgreSQL', () => {
  let path: ReliablePath;
  let proxy: FaultProxy;
  let module: TestingModule;
  let work: BackgroundWork;
  let relay: OutboxRelay | null;

  beforeEach(async () => {
    relay = null;
    path = await ReliablePath.open();
    const address = new URL(path.db.workerUrl);
    proxy = await FaultProxy.open('database', Number(address.port));
    address.port = String(proxy.port);
    const config = { ...loadConfig({}), outboxLeaseMs: LEASE_MS };
    const database = DatabaseModule.forRoot(config, { app: null, worker: address.toString() }, []);
    module = await Test.createTestingModule({ imports: [database] }).compile();
    work = module.get(BackgroundWork);
  });

  afterEach(async () => {
    await proxy.close();
    await relay?.abandon();
    await module.close();
    await path.close();
  });

  it('a relay goes on over new ones within two leases', async () => {
    const options = {
      topic: TOPIC,
      leaseMs: LEASE_MS,
      sweepIntervalMs: 50,
      batchSize: 100,
      retryScheduleMs: [0],
    };
    relay = new OutboxRelay(work, path.log(), options, new Reports());
    relay.start();
    const id = newId();
    await path.addGuests([id]);
    await path.bump([id]);
    await until('the first event', async () => path.events().length === 1);
    expect(await proxy.spring(TRAP, 5_000)).not.toBeNull();
    const cut = performance.now();
    await path.bump([id]);
    await until('the second event', async () => path.events().some(({ keySeq }) => keySeq === 2), 30_000);
    expect(performance.now() - cut).toBeLessThan(2 * LEASE_MS + 500);
  });

  it('a consumer goes on over new ones, and applies everything once', async () => {
    const projectors = new Projectors();
    projectors.register({
      name: 'witness',
      apply: async (tx) => void (await tx.query(NOTHING, [])),
    });
    const consumer = new EventProcessor(
      work,
      projectors,
      { group: GROUP, owner: 'me', maxRetries: 3, retryBackoffMs: 1, patienceMs: LEASE_MS },
      new Reports(),
    );
    const id = newId();
    await path.addGuests([id]);
    await path.bump([id]);
    await path.drain();
    const { partition } = path.store.records(TOPIC)[0]!;
    await consumer.assigned(TOPIC, partition);
    expect(await consumer.batch(path.batchOf(partition))).toBe(1n);
    await path.bump([id]);
    await path.drain();
    const sprung = proxy.spring(TRAP, 5_000);
    const begun = performance.now();
    // As the log does: what isn't applied is handed over again.
    let next = await consumer.batch(path.batchOf(partition, 1n));
    expect([(await sprung) !== null, next]).toEqual([true, 1n]);
    while (next < 2n) next = await consumer.batch(path.batchOf(partition, 1n)).catch(() => next);
    expect(performance.now() - begun).toBeLessThan(4 * LEASE_MS);
    expect(await path.rows(`SELECT key_seq FROM event_inbox ORDER BY 1`)).toEqual([
      { key_seq: 1 },
      { key_seq: 2 },
    ]);
  });

  it('the locks of a transaction that will never end are free after a lease', async () => {
    let locked!: () => void;
    const holds = new Promise<void>((resolve) => (locked = resolve));
    const hung = work.run('test.hung', async (tx) => {
      await tx.query(LOCK, []);
      const hit = proxy.spring(TRAP, 5_000);
      const never = tx.query(NOTHING, []);
      await hit;
      locked();
      await never;
    });
    hung.catch(() => undefined);
    await holds;
    const begun = performance.now();
    await withClient(path.db.superUrl, async (client) => {
      await client.query(`SET lock_timeout = '20s'`);
      await client.query(LOCK.text);
    });
    expect(performance.now() - begun).toBeLessThan(LEASE_MS + 1_000);
    await proxy.close();
    await expect(hung).rejects.toThrow();
  });
});
