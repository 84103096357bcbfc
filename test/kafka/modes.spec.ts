import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '../../src/platform/database/embedded/postmaster.js';
import { startBroker, type Broker } from '../../tools/kafka/broker.mjs';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { ask, NO_FAULTS, pathFaults } from '../support/house-sql.js';
import { demoDayUse } from '../support/front-desk.js';
import { until, type HttpClient } from '../support/http-client.js';
import { Installation, type Service } from '../support/service.js';

const TIMEOUT_MS = 240_000;

/** API and worker apart, each a process, on a real PostgreSQL and a broker of their own. */
describe('APP_MODE=api and APP_MODE=worker', () => {
  let db: TestDatabase;
  let inst: Installation;
  let dir: string;
  let ports: { port: number; controllerPort: number };
  let broker: Broker;
  let api: Service;
  let worker: Service;
  let desk: HttpClient;
  let booking: Record<string, unknown>;

  const modeOf = (mode: 'api' | 'worker'): Promise<Service> => inst.start({ APP_MODE: mode });
  const book = async (): Promise<string> => {
    const answer = await desk.post('/v1/reservations', booking);
    expect(answer.status).toBe(201);
    return answer.body.data.id as string;
  };
  const stateOf = async (id: string): Promise<string> =>
    (await desk.get(`/v1/reservations/${id}/lifecycle`)).body.data.state as string;
  const isApplied = (ids: readonly string[]): Promise<true> =>
    until(
      `${ids.length} bookings applied`,
      async () => (await Promise.all(ids.map(stateOf))).every((state) => state === 'APPLIED') || null,
      90_000,
    ).then(() => true);
  const appliedEvents = async (): Promise<number> => {
    const [row] = await ask<{ n: number }>(db.superUrl, `SELECT count(*)::int AS n FROM event_inbox`);
    return row!.n;
  };
  const readiness = async (service: Service): Promise<number> =>
    (await fetch(`${service.url}/health/readiness`)).status;

  beforeAll(async () => {
    db = await createTestDatabase();
    dir = mkdtempSync(join(tmpdir(), 'tartware-modes-broker-'));
    ports = { port: await freePort(), controllerPort: await freePort() };
    broker = await startBroker({ dir, ...ports });
    inst = await Installation.create({
      DATABASE_URL: db.appUrl,
      DATABASE_WORKER_URL: db.workerUrl,
      DATABASE_OWNER_URL: db.ownerUrl,
      KAFKA_BROKERS: broker.brokers,
      KAFKA_SESSION_TIMEOUT_MS: '2000',
      OUTBOX_LEASE_MS: '2000',
    });
    await inst.json(['seed']);
    await inst.json(['topics', 'provision']);
    [api, worker] = await Promise.all([modeOf('api'), modeOf('worker')]);
    desk = await inst.client(api);
    booking = await demoDayUse(desk);
  }, TIMEOUT_MS);

  afterAll(async () => {
    await inst?.dispose();
    await broker?.stop();
    await db?.drop();
    if (dir) rmSync(dir, { recursive: true, force: true });
  }, TIMEOUT_MS);

  it('take a booking in at the one and apply it at the other', async () => {
    expect(await isApplied([await book()])).toBe(true);
    expect([await readiness(api), await readiness(worker)]).toEqual([200, 200]);
  });

  it('the API has no loops of the worker, and the worker no doors of the API', async () => {
    const answer = await fetch(`${worker.url}/v1/properties`);
    expect(answer.status).toBe(404);
  });

  it(
    'with the broker killed take bookings all the same, and apply them once when it is back',
    async () => {
      await broker.kill();
      await until('the worker is not ready', async () => (await readiness(worker)) === 503, 60_000);
      const ids: string[] = [];
      for (let n = 0; n < 20; n++) ids.push(await book());
      expect(await readiness(api)).toBe(200);
      // A restart would cure nothing: the worker's loops move.
      expect((await fetch(`${worker.url}/health/liveness`)).status).toBe(200);
      expect(await Promise.all(ids.map(stateOf))).toEqual(ids.map(() => 'PERSISTED'));
      broker = await startBroker({ dir, ...ports });
      expect(await isApplied(ids)).toBe(true);
      await until('the worker is ready again', async () => (await readiness(worker)) === 200, 60_000);
      expect(await pathFaults(db.superUrl)).toEqual(NO_FAULTS);
    },
    TIMEOUT_MS,
  );

  it(
    'with the worker killed under load lose nothing and apply nothing twice',
    async () => {
      for (let round = 0; round < 2; round++) {
        const ids: string[] = [];
        const before = await appliedEvents();
        const load = Promise.all(
          Array.from({ length: 16 }, async () => {
            for (let n = 0; n < 50; n++) ids.push(await book());
          }),
        );
        // In the midst of it: some are applied, some on their way, some not yet taken.
        await until('it works', async () => (await appliedEvents()) > before + 50, 60_000, 5);
        await worker.stop('SIGKILL');
        await load;
        worker = await modeOf('worker');
        expect(await isApplied(ids)).toBe(true);
        expect(await pathFaults(db.superUrl)).toEqual(NO_FAULTS);
        expect((await appliedEvents()) - before).toBe(ids.length);
      }
    },
    TIMEOUT_MS,
  );
});
