import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import type { DataSource } from 'typeorm';
import { Projectors } from '../../src/modules/consumer/contract/projector.js';
import { EventProcessor } from '../../src/modules/consumer/processing/event-processor.js';
import { kindOf } from '../../src/modules/consumer/processing/failures.js';
import { OutboxRelay } from '../../src/modules/outbox/relay/outbox-relay.js';
import { loadConfig } from '../../src/platform/config/config.js';
import { openDataSource } from '../../src/platform/database/data-source.js';
import { DatabaseModule } from '../../src/platform/database/database.module.js';
import { sql, type Sql } from '../../src/platform/database/sql.js';
import { isUnavailable, sqlState } from '../../src/platform/database/sqlstate.js';
import { BackgroundWork, UnitOfWork } from '../../src/platform/database/unit-of-work.js';
import { asDomainError, statusOf } from '../../src/platform/http/error-status.js';
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
const BACKEND = sql('test.backend', `SELECT pg_backend_pid() AS pid`);

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

  const consumerOf = (projectors: Projectors): EventProcessor =>
    new EventProcessor(
      work.answeredWithin(LEASE_MS),
      projectors,
      { group: GROUP, owner: 'me', maxRetries: 3, retryBackoffMs: 1, maxBatchRecords: 500 },
      new Reports(),
    );
  /** So many connections lie idle in the pool now. */
  const fill = async (connections: number): Promise<void> => {
    let left = connections;
    let arrive!: () => void;
    const all = new Promise<void>((resolve) => (arrive = resolve));
    const one = (): Promise<void> =>
      work.run('test.fill', async () => {
        if (--left === 0) arrive();
        await all;
      });
    await Promise.all(Array.from({ length: connections }, one));
  };

  it('one that is given up takes those along that lie idle beside it', async () => {
    const patient = work.answeredWithin(LEASE_MS);
    await fill(5);
    expect(proxy.connections).toBeGreaterThanOrEqual(5);
    const sprung = proxy.spring(TRAP, 5_000);
    await expect(patient.query(NOTHING, [])).rejects.toThrow('Query read timeout');
    expect(await sprung).toMatchObject({ struck: 1 });
    const begun = performance.now();
    await patient.query(NOTHING, []);
    expect(performance.now() - begun).toBeLessThan(LEASE_MS / 2);
  });

  it('a consumer is given its partition on a new one, after a session', async () => {
    const consumer = consumerOf(new Projectors());
    await consumer.assigned(TOPIC, 0);
    const sprung = proxy.spring(TRAP, 5_000);
    const begun = performance.now();
    const failure = await consumer.assigned(TOPIC, 0).catch((error: unknown) => error);
    expect([kindOf(failure), (await sprung) !== null]).toEqual(['infrastructure', true]);
    await consumer.assigned(TOPIC, 0);
    expect(performance.now() - begun).toBeLessThan(2 * LEASE_MS);
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
    expect(performance.now() - cut).toBeLessThan(2 * LEASE_MS);
  });

  it('a consumer goes on over new ones, and applies everything once', async () => {
    const projectors = new Projectors();
    projectors.register({
      name: 'witness',
      apply: async (tx) => void (await tx.query(NOTHING, [])),
    });
    const consumer = consumerOf(projectors);
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

/** A request waits for its answer, and so does whoever sent it. */
describe('a statement without an answer', () => {
  const LIMIT_MS = 500;
  let path: ReliablePath;
  let proxy: FaultProxy;
  let source: DataSource;

  beforeEach(async () => {
    path = await ReliablePath.open();
    const address = new URL(path.db.appUrl);
    proxy = await FaultProxy.open('database', Number(address.port));
    address.port = String(proxy.port);
    source = await openDataSource(address.toString(), {
      poolSize: 2,
      applicationName: 'half-open-test',
      entities: [],
      statementTimeoutMs: LIMIT_MS,
    });
  });

  afterEach(async () => {
    await proxy.close();
    await source.destroy();
    await path.close();
  });

  const failureOf = (statement: Sql): Promise<unknown> =>
    new UnitOfWork(source)
      .run({ tenantId: path.house.tenantId }, 'test.ask', (tx) => tx.query(statement, []))
      .catch((error: unknown) => error);

  it('is given up soon after the limit at which the server would have cancelled it, and is 503', async () => {
    expect(await failureOf(NOTHING)).toEqual([{ '?column?': 1 }]);
    const sprung = proxy.spring(TRAP, 5_000);
    const begun = performance.now();
    const failure = asDomainError(await failureOf(NOTHING));
    expect([failure.code, statusOf(failure), (await sprung) !== null]).toEqual(['UNAVAILABLE', 503, true]);
    expect(performance.now() - begun).toBeLessThan(LIMIT_MS + 1_500);
    expect(await failureOf(NOTHING)).toEqual([{ '?column?': 1 }]);
  });

  it('of a read is given up as well, and the next read goes over a new connection', async () => {
    const read = (): Promise<unknown> =>
      new UnitOfWork(source)
        .read({ tenantId: path.house.tenantId }, 'test.read', (tx) => tx.query(BACKEND, []))
        .catch((error: unknown) => error);
    // At once, so that a second connection lies idle beside the one that will be given up.
    const before = (await Promise.all([read(), read()])).flat();
    expect(before).toEqual([{ pid: expect.any(Number) }, { pid: expect.any(Number) }]);
    const sprung = proxy.spring(TRAP, 5_000);
    const begun = performance.now();
    const failure = await read();
    expect([isUnavailable(failure), (await sprung) !== null]).toEqual([true, true]);
    expect(performance.now() - begun).toBeLessThan(LIMIT_MS + 1_500);
    const [after] = [await read()].flat();
    expect(after).toEqual({ pid: expect.any(Number) });
    expect(before).not.toContainEqual(after);
  });

  it('because it is slow is cancelled by the server, not given up', async () => {
    const failure = await failureOf(sql('test.slow', `SELECT pg_sleep(60)`));
    expect([sqlState(failure), asDomainError(failure).code]).toEqual(['57014', 'UNAVAILABLE']);
  });
});
