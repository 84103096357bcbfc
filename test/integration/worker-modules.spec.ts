import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Global, Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { ScheduleModule } from '@nestjs/schedule';
import { ConsumerModule, reservationSubscription } from '../../src/modules/consumer/consumer.module.js';
import { SubscriptionHealth } from '../../src/modules/health/contract/subscription-health.js';
import { HealthModule } from '../../src/modules/health/health.module.js';
import { ReliabilityWorkerModule } from '../../src/modules/health/reliability.module.js';
import { ReliabilityMonitor } from '../../src/modules/health/reliability/reliability-monitor.js';
import { FlowAuditor } from '../../src/modules/lifecycle/auditor/flow-auditor.js';
import { LifecycleWorkerModule } from '../../src/modules/lifecycle/lifecycle-worker.module.js';
import { MaintenanceModule } from '../../src/modules/maintenance/maintenance.module.js';
import { Maintenance } from '../../src/modules/maintenance/maintenance.js';
import { OccupancyWorkerModule } from '../../src/modules/occupancy/occupancy-worker.module.js';
import { OutboxNotifierModule } from '../../src/modules/outbox/outbox.module.js';
import { OutboxWorkerModule } from '../../src/modules/outbox/outbox-worker.module.js';
import { OutboxRelay } from '../../src/modules/outbox/relay/outbox-relay.js';
import { loadConfig, type AppMode } from '../../src/platform/config/config.js';
import { APP_CONFIG } from '../../src/platform/config/config.token.js';
import { DatabaseModule } from '../../src/platform/database/database.module.js';
import { EventLog } from '../../src/platform/event-log/event-log.js';
import { EventLogTransport } from '../../src/platform/event-log/transport/event-log-transport.js';
import { newId } from '../../src/platform/kernel/ids.js';
import { LoopRegistry } from '../../src/platform/worker/loop-registry.js';
import { WorkerLoop } from '../../src/platform/worker/loop.js';
import { WorkerModule } from '../../src/platform/worker/worker.module.js';
import { withClient } from '../support/fixtures.js';
import { withDatabase } from '../support/server.js';
import { ReliablePath, reservationData } from '../support/reliable-path.js';

interface Health {
  readonly status: string;
  readonly mode: AppMode;
  readonly details: Record<string, { status: string; message?: string }>;
}

describe('the modules of a worker', () => {
  let path: ReliablePath;
  let app: NestFastifyApplication;

  beforeEach(async () => {
    path = await ReliablePath.open();
  });
  afterEach(async () => {
    await app.close();
    await path.close();
  });

  async function start(mode: AppMode): Promise<void> {
    const urls = { DATABASE_URL: path.db.appUrl, DATABASE_WORKER_URL: path.db.workerUrl };
    const config = loadConfig({
      APP_MODE: mode,
      ...urls,
      OUTBOX_SWEEP_INTERVAL_MS: '50',
      LIFECYCLE_AUDIT_INTERVAL_MS: '50',
    });
    const log = path.log();

    @Global()
    @Module({
      providers: [
        { provide: APP_CONFIG, useValue: config },
        ...(mode === 'api' ? [] : [{ provide: EventLog, useValue: log }]),
      ],
      exports: [APP_CONFIG, ...(mode === 'api' ? [] : [EventLog])],
    })
    class Basics {}

    class Root {}
    const worker = [
      ...[OutboxWorkerModule, ConsumerModule, OccupancyWorkerModule, MaintenanceModule],
      ...[LifecycleWorkerModule, ReliabilityWorkerModule],
    ];
    const root: DynamicModule = {
      module: Root,
      imports: [
        Basics,
        ScheduleModule.forRoot(),
        WorkerModule,
        DatabaseModule.forRoot(
          config,
          { app: path.db.appUrl, worker: mode === 'api' ? null : path.db.workerUrl },
          [],
        ),
        HealthModule,
        ...(mode === 'worker' ? [] : [OutboxNotifierModule]),
        ...(mode === 'api' ? [] : worker),
      ],
    };
    app = await NestFactory.create<NestFastifyApplication>(root, new FastifyAdapter(), { logger: false });
    if (mode !== 'api') {
      const transport = new EventLogTransport(log, [reservationSubscription(config)]);
      app.connectMicroservice({ strategy: transport });
      app.get(SubscriptionHealth).watch(() => transport.statuses());
      await app.startAllMicroservices();
    }
    await app.init();
    await app.getHttpAdapter().getInstance().ready();
  }

  async function health(probe: string): Promise<{ code: number; body: Health }> {
    const answer = await app.inject({ url: `/health/${probe}` });
    return { code: answer.statusCode, body: answer.json<Health>() };
  }

  it('bring a commit to its effect, and give everything back when they stop', async () => {
    await start('all');
    await path.reserve(
      newId(),
      1,
      reservationData({
        propertyId: path.house.propertyId,
        status: 'CONFIRMED',
        arrival: '2027-03-01',
        nightlyMinor: [5],
      }),
    );
    const relay = app.get(OutboxRelay);
    while ((await path.count('event_inbox')) === 0) await relay.laneLoops[0]!.nextRun();
    expect(await path.rows(`SELECT booked_rooms FROM occupancy_nights`)).toEqual([{ booked_rooms: 1 }]);
    await app.close();
    expect(await path.rows(`SELECT DISTINCT owner FROM outbox_slots`)).toEqual([{ owner: null }]);
    expect(await path.count('outbox_relays')).toBe(0);
  });

  it('are ready with database and log, and in a worker not without the log', async () => {
    await start('worker');
    expect(await health('readiness')).toMatchObject({
      code: 200,
      body: {
        status: 'ok',
        mode: 'worker',
        details: { database: { status: 'up' }, eventLog: { status: 'up' } },
      },
    });
    path.store.down = true;
    expect(await health('readiness')).toMatchObject({
      code: 503,
      body: { status: 'error', details: { eventLog: { status: 'down', message: expect.any(String) } } },
    });
    // No loop is stalled by that: a restart would cure nothing.
    expect(await health('liveness')).toMatchObject({ code: 200 });
    path.store.down = false;
    expect(await health('readiness')).toMatchObject({ code: 200 });
  });

  it('are not ready in a worker that has not subscribed yet, though the log answers', async () => {
    await start('worker');
    app.get(SubscriptionHealth).watch(() => []);
    expect(await health('readiness')).toMatchObject({
      code: 503,
      body: { details: { eventLog: { status: 'down', message: 'not subscribed yet' } } },
    });
  });

  it('stay ready in one process with the API while the log is down, and say so', async () => {
    await start('all');
    path.store.down = true;
    expect(await health('readiness')).toMatchObject({
      code: 200,
      body: { status: 'degraded', details: { database: { status: 'up' }, eventLog: { status: 'degraded' } } },
    });
    path.store.down = false;
  });

  it('leave an API that needs the database alone', async () => {
    await start('api');
    const { code, body } = await health('readiness');
    expect([code, Object.keys(body.details)]).toEqual([200, ['database']]);
    await withClient(withDatabase(path.db.superUrl, 'postgres'), async (client) => {
      await client.query(`ALTER DATABASE ${path.db.name} ALLOW_CONNECTIONS false`);
      await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, [
        path.db.name,
      ]);
    });
    expect(await health('readiness')).toMatchObject({
      code: 503,
      body: { details: { database: { status: 'down' } } },
    });
    expect(await health('liveness')).toMatchObject({ code: 200 });
  });

  it('are not alive when a loop of theirs hangs', async () => {
    await start('worker');
    let release = (): void => undefined;
    const hanging = new WorkerLoop(
      { name: 'test.hanging', intervalMs: 1, stallAfterMs: 0 },
      () => new Promise((resolve) => (release = () => resolve(false))),
      path.reports,
    );
    app.get(LoopRegistry).add(hanging).start();
    expect(await health('liveness')).toMatchObject({
      code: 503,
      body: { details: { loops: { status: 'down', stalled: ['test.hanging'] } } },
    });
    const stopped = hanging.stop();
    release();
    await stopped;
  });

  it('show the metrics of the process and of the path', async () => {
    await start('worker');
    const { statusCode, headers, body } = await app.inject({ url: '/metrics' });
    expect([statusCode, headers['content-type']]).toEqual([200, expect.stringContaining('text/plain')]);
    for (const name of ['outbox_queue_depth', 'reservation_event_retries_total', 'process_cpu_seconds_total'])
      expect(body).toContain(`# TYPE ${name} `);
  });

  it('tell their reliability in every mode: the API reads what a worker measured', async () => {
    await start('api');
    expect(await health('reliability')).toMatchObject({
      code: 503,
      body: { status: 'critical', details: null },
    });
    await app.close();
    await start('worker');
    await app.get(ReliabilityMonitor).loop.runOnce();
    expect(await health('reliability')).toMatchObject({
      code: 200,
      body: {
        status: 'ok',
        figures: {
          deadLetters: { value: 0, warning: 0, critical: 50, level: 'ok' },
          backlog: { level: 'ok' },
        },
        details: { logAnswers: true },
      },
    });
    await app.close();
    await start('api');
    const measured = (figures: string): Promise<object[]> =>
      path.rows(`UPDATE reliability_figures SET ${figures}`);
    await measured(`figures = jsonb_set(figures::jsonb, '{deadLetters,DEAD}', '1')`);
    expect(await health('reliability')).toMatchObject({
      code: 200,
      body: { status: 'warning', figures: { deadLetters: { value: 1, level: 'warning' } } },
    });
    await measured(`figures = jsonb_set(figures::jsonb, '{deadLetters,DEAD}', '51')`);
    expect(await health('reliability')).toMatchObject({ code: 503, body: { status: 'critical' } });
    await measured(
      `figures = jsonb_set(figures::jsonb, '{deadLetters,DEAD}', '0'), measured_at = now() - interval '1 hour'`,
    );
    expect(await health('reliability')).toMatchObject({
      code: 503,
      body: { status: 'critical', figures: { measuredAgeSeconds: { level: 'critical' } } },
    });
  });

  it('have their auditor look by itself, at the interval', async () => {
    await start('worker');
    const { loop } = app.get(FlowAuditor);
    expect(await loop.nextRun()).toEqual({ more: false, error: null });
  });

  it('forget idempotency keys after a week, in bounded batches, and nothing younger', async () => {
    await path.rows(
      `INSERT INTO idempotency_keys (tenant_id, principal, key, request_hash, status, headers, body, created_at)
       SELECT $1, 'p', n::text, decode(repeat('00', 32), 'hex'), 200, '{}', '', now() - CASE WHEN n <= 2500 THEN interval '8 days' ELSE interval '6 days' END
         FROM generate_series(1, 2510) n`,
      [path.house.tenantId],
    );
    await start('worker');
    const { idempotencyKeys } = app.get(Maintenance);
    while ((await path.count('idempotency_keys')) > 10) await idempotencyKeys.runOnce();
    await idempotencyKeys.runOnce();
    expect(await path.count('idempotency_keys')).toBe(10);
  });
});
