import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readFigures } from '../../src/modules/health/reliability/figures-store.js';
import { ReliabilityMonitor } from '../../src/modules/health/reliability/reliability-monitor.js';
import { newId } from '../../src/platform/kernel/ids.js';
import { metrics } from '../../src/platform/observability/metrics.js';
import { GROUP, ReliablePath, reservationData, TOPIC } from '../support/reliable-path.js';
import { withClient } from '../support/fixtures.js';

describe('the reliability monitor', () => {
  let path: ReliablePath;

  beforeEach(async () => {
    path = await ReliablePath.open(2);
  });
  afterEach(() => path.close());

  const monitor = (): ReliabilityMonitor =>
    new ReliabilityMonitor(
      { uow: path.uow, work: path.work, log: path.log() },
      { group: GROUP, topic: TOPIC },
      path.reports,
    );
  const measured = async (): Promise<NonNullable<Awaited<ReturnType<typeof readFigures>>>> => {
    await path.rows(`UPDATE reliability_figures SET measured_at = now() - interval '1 minute'`);
    await monitor().loop.runOnce();
    return (await readFigures(path.uow))!;
  };
  const reserve = async (data?: Record<string, unknown>): Promise<string> => {
    const id = newId();
    const stay = {
      propertyId: path.house.propertyId,
      status: 'CONFIRMED',
      arrival: '2027-03-01',
      nightlyMinor: [1],
    };
    await path.reserve(id, 1, data ?? reservationData(stay), 'reservation.created');
    return id;
  };

  it('measures queue, lag, commits, dead letters, blocked keys and stalls, for every process to read', async () => {
    expect(await readFigures(path.uow)).toBeNull();
    const dead = await reserve({ propertyId: 'broken' });
    await reserve();
    await path.drain();
    const before = await measured();
    expect(before.figures).toMatchObject({ backlog: 0, logAnswers: true, lastCommitSeconds: null });
    await path.consume(path.consumer());
    await reserve();
    await path.rows(
      `INSERT INTO outbox_blocked_keys (tenant_id, aggregate_id, key_seq, status, attempts, cause) VALUES ($1, $2, 1, 'DLQ', 4, 'x')`,
      [path.house.tenantId, dead],
    );
    await path.rows(
      `INSERT INTO lifecycle_stalls (tenant_id, aggregate_id, key_seq, occurred_at, state, since, exhausted_at)
       VALUES ($1, $2, 1, now(), 'PERSISTED', now(), now())`,
      [path.house.tenantId, dead],
    );
    const { figures, ageSeconds } = await measured();
    expect(figures).toMatchObject({
      backlog: 1,
      backlogEstimated: false,
      deadLetters: { DEAD: 1, PARKED: 0, REPLAYING: 0 },
      blockedKeys: { FAILED: 0, PARKED: 0, DLQ: 1 },
      stalled: { PERSISTED: 1, PUBLISHED: 0, PARKED: 0, DLQ: 0 },
      stalledExhausted: 1,
    });
    expect(figures.partitions.map(({ lag }) => lag)).toEqual(figures.partitions.map(() => 0));
    expect(figures.backlogBySlot.reduce((total, n) => total + n, 0)).toBe(1);
    expect([figures.backlogAgeSeconds > 0, figures.lastCommitSeconds! >= 0, ageSeconds < 5]).toEqual([
      true,
      true,
      true,
    ]);
    const shown = async (gauge: typeof metrics.stalled | typeof metrics.blockedKeys): Promise<unknown> =>
      (await gauge.get()).values.map(({ labels, value }) => [...Object.values(labels), value]);
    expect(await shown(metrics.stalled)).toContainEqual(['PERSISTED', 1]);
    expect(await shown(metrics.blockedKeys)).toContainEqual(['DLQ', 1]);
  });

  it('tells the lag of each partition, and that it is not known while the log does not answer', async () => {
    const consumer = path.consumer();
    for (let i = 0; i < 4; i++) await reserve();
    await path.drain();
    await consumer.assigned(TOPIC, 0);
    await consumer.assigned(TOPIC, 1);
    const { figures } = await measured();
    expect(figures.partitions.reduce((total, { lag }) => total + lag!, 0)).toBe(4);
    path.store.down = true;
    const down = (await measured()).figures;
    expect([down.logAnswers, down.partitions.map(({ lag }) => lag)]).toEqual([false, [null, null]]);
  });

  it('is measured by one worker at a time', async () => {
    await monitor().loop.runOnce();
    const [first] = await path.rows(`SELECT measured_at FROM reliability_figures`);
    await monitor().loop.runOnce();
    expect(await path.rows(`SELECT measured_at FROM reliability_figures`)).toEqual([first]);
  });

  it('estimates a queue of more events than it counts', async () => {
    await path.rows(
      `INSERT INTO outbox_queue (slot, tenant_id, aggregate_id, key_seq, occurred_at)
       SELECT 5, $1, gen_random_uuid(), 1, now() FROM generate_series(1, 20000)`,
      [path.house.tenantId],
    );
    await path.rows(`ANALYZE outbox_queue`);
    const { figures } = await measured();
    expect([figures.backlogEstimated, figures.backlog, figures.backlogBySlot[5]]).toEqual([
      true,
      20_000,
      6_251,
    ]);
  });

  it('tells numbers only: no tenant, no id, of anybody', async () => {
    await reserve({ propertyId: 'broken' });
    await path.drain();
    await path.consume(path.consumer());
    await measured();
    const [{ figures }] = (await path.rows<{ figures: object }>(
      `SELECT figures FROM reliability_figures`,
    )) as [{ figures: object }];
    const leaves: unknown[] = [];
    JSON.stringify(figures, (_, value: unknown) => {
      if (typeof value !== 'object') leaves.push(value);
      return value;
    });
    expect(leaves.filter((leaf) => !['number', 'boolean'].includes(typeof leaf))).toEqual([]);
  });

  it('is read by the application and written by the worker alone', async () => {
    await measured();
    await withClient(path.db.appUrl, async (client) => {
      expect((await client.query(`SELECT 1 FROM reliability_figures`)).rowCount).toBe(1);
      await expect(client.query(`UPDATE reliability_figures SET measured_at = now()`)).rejects.toMatchObject({
        code: '42501',
      });
    });
  });
});
