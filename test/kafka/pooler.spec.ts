import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { ask, NO_FAULTS, pathFaults } from '../support/house-sql.js';
import { demoDayUse } from '../support/front-desk.js';
import { until, type HttpClient } from '../support/http-client.js';
import { hasPgbouncer, startPgbouncer, type Pooler } from '../support/pgbouncer.js';
import { Installation, type Service } from '../support/service.js';

const TIMEOUT_MS = 240_000;
const present = hasPgbouncer();
if (!present && process.env['CI']) throw new Error('pgbouncer is missing: install the package of that name');
if (!present) console.warn('skipped: this machine has no pgbouncer (package pgbouncer)');

/** A real pgbouncer with four server connections for each role, between both processes and the database. */
(present ? describe : describe.skip)('behind pgbouncer in transaction mode', () => {
  let db: TestDatabase;
  let pooler: Pooler;
  let inst: Installation;
  let api: Service;
  let worker: Service;
  let desk: HttpClient;
  let booking: Record<string, unknown>;

  beforeAll(async () => {
    db = await createTestDatabase();
    pooler = await startPgbouncer([db.appUrl, db.workerUrl]);
    inst = await Installation.create({
      DATABASE_URL: pooler.through(db.appUrl),
      DATABASE_WORKER_URL: pooler.through(db.workerUrl),
      DATABASE_POOLER: 'transaction',
      KAFKA_BROKERS: process.env['KAFKA_BROKERS']!,
      RESERVATION_TOPIC: `pooler.${db.name}`,
      RESERVATION_DLQ_TOPIC: `pooler.${db.name}.dlq`,
      KAFKA_CONSUMER_GROUP: `pooler.${db.name}`,
      OUTBOX_SWEEP_INTERVAL_MS: '200',
    });
    await inst.json(['seed']);
    await inst.json(['topics', 'provision']);
    [api, worker] = await Promise.all([inst.start({ APP_MODE: 'api' }), inst.start({ APP_MODE: 'worker' })]);
    desk = await inst.client(api);
    booking = await demoDayUse(desk);
  }, TIMEOUT_MS);

  afterAll(async () => {
    await inst?.dispose();
    await pooler?.stop();
    await db?.drop();
  }, TIMEOUT_MS);

  it(
    'takes bookings of many clients at once and applies each once, by polling alone',
    async () => {
      const answers = await Promise.all(
        Array.from({ length: 16 }, async () => {
          const codes: number[] = [];
          for (let n = 0; n < 20; n++) codes.push((await desk.post('/v1/reservations', booking)).status);
          return codes;
        }),
      );
      expect(new Set(answers.flat())).toEqual(new Set([201]));
      await until(
        'all is applied',
        async () => {
          const [row] = await ask<{ waiting: number; applied: number }>(
            db.superUrl,
            `SELECT (SELECT count(*)::int FROM outbox_queue) AS waiting, (SELECT count(*)::int FROM event_inbox
               JOIN outbox_events USING (tenant_id, aggregate_id, key_seq, occurred_at) WHERE aggregate_type = 'reservation') AS applied`,
          );
          return (row!.waiting === 0 && row!.applied === 320) || null;
        },
        90_000,
      );
      expect(await pathFaults(db.superUrl)).toEqual(NO_FAULTS);
      // Nobody listens, so nothing but the sweep can have found them.
      expect(
        await ask(
          db.superUrl,
          `SELECT 1 FROM pg_stat_activity WHERE datname = '${db.name}' AND query LIKE 'LISTEN%'`,
        ),
      ).toEqual([]);
      expect((await fetch(`${worker.url}/health/readiness`)).status).toBe(200);
    },
    TIMEOUT_MS,
  );
});
