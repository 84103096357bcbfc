import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { appendChanges } from '../../src/modules/outbox/contract/append-changes.js';
import type { AggregateType } from '../../src/modules/outbox/contract/events.js';
import { isQueued } from '../../src/modules/outbox/contract/is-queued.js';
import { parkKeys, publishAgain, releaseKeys } from '../../src/modules/outbox/contract/queue-control.js';
import { LeaseStore, type HeldSlot } from '../../src/modules/outbox/persistence/lease-store.js';
import { FIRST_TENANT } from '../../src/modules/outbox/contract/queue-heads.js';
import {
  QueueStore,
  type Claimed,
  type QueueRange,
} from '../../src/modules/outbox/persistence/queue-store.js';
import { LowWater } from '../../src/modules/outbox/relay/low-water.js';
import { makeContext, type OpContext } from '../../src/platform/context/op-context.js';
import { BACKGROUND_SETTINGS } from '../../src/platform/database/database.module.js';
import { sql, type Sql } from '../../src/platform/database/sql.js';
import type { BackgroundWork, Tx } from '../../src/platform/database/unit-of-work.js';
import {
  RecordRefusedError,
  type LogPosition,
  type LogRecord,
} from '../../src/platform/event-log/event-log.js';
import { MemoryEventLog } from '../../src/platform/event-log/memory/memory-event-log.js';
import { newId, type TenantId } from '../../src/platform/kernel/ids.js';
import { withClient } from '../support/fixtures.js';
import { ReliablePath } from '../support/reliable-path.js';

interface Plan {
  readonly 'Actual Rows': number;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
}

const SLOT = 3;
const inSlot = (slot = SLOT): string => newId().slice(0, -1) + slot.toString(16);
const range = (fields: Partial<QueueRange> = {}): QueueRange => ({
  slot: SLOT,
  priority: 0,
  from: FIRST_TENANT,
  limit: 100,
  ...fields,
});

class RefusingLog extends MemoryEventLog {
  refuses = true;

  override async append(topic: string, records: readonly LogRecord[]): Promise<LogPosition[]> {
    if (this.refuses) throw new RecordRefusedError('too large');
    return super.append(topic, records);
  }
}

describe('the outbox queue', () => {
  let path: ReliablePath;
  let queue: QueueStore;

  beforeEach(async () => {
    path = await ReliablePath.open();
    queue = new QueueStore(path.work);
  });
  afterEach(() => path.close());

  const of = (tenantId: TenantId): OpContext =>
    makeContext({ tenantId, subject: 'tester', permissions: ['*'], source: 'system' });

  interface Given {
    readonly tenantId?: TenantId;
    readonly type?: AggregateType;
    readonly dedupeKey?: string;
  }

  const append = (tx: Tx, ctx: OpContext, key: string, version: number, given: Given): Promise<void> =>
    appendChanges(tx, ctx, [
      {
        aggregateType: given.type ?? 'reservation',
        aggregateId: key,
        version,
        type: given.type ? `${given.type}.changed` : 'reservation.modified',
        data: {},
        changes: {},
        ...(given.dedupeKey !== undefined && { dedupeKey: given.dedupeKey }),
      },
    ]);

  async function put(key: string, versions: readonly number[], given: Given = {}): Promise<void> {
    const ctx = of(given.tenantId ?? path.house.tenantId);
    await path.uow.run(ctx, 'test.put', async (tx) => {
      for (const version of versions) await append(tx, ctx, key, version, given);
    });
  }

  const holdAll = async (owner: string): Promise<HeldSlot[]> =>
    (await new LeaseStore(path.work).renew(owner, 60_000, () => 16)).held;

  const inWork = <T>(work: Parameters<typeof path.work.run<T>>[1]): Promise<T> =>
    path.work.run('test.control', work);

  const statuses = async (): Promise<Record<string, number>> => {
    const rows = await path.rows<{ status: string; n: number }>(
      `SELECT status, count(*)::int AS n FROM outbox_status GROUP BY 1 ORDER BY 1`,
    );
    return Object.fromEntries(rows.map(({ status, n }) => [status, n]));
  };

  const ofTenant = ({ events }: Claimed, tenantId: string): number =>
    events.filter((event) => event.tenantId === tenantId).length;

  describe('gives every tenant its share', () => {
    it('of each claim, however much another one has queued before it', async () => {
      const flood = inSlot();
      await put(
        flood,
        Array.from({ length: 500 }, (_, n) => n + 1),
      );
      const quiet = newId() as TenantId;
      await put(inSlot(), [1], { tenantId: quiet });
      const claimed = await queue.claim([range()]);
      expect([ofTenant(claimed, quiet), ofTenant(claimed, path.house.tenantId)]).toEqual([1, 50]);
    });

    it('when there are more than one claim looks at: the next goes on behind them, and none is left out', async () => {
      const tenants = Array.from({ length: 150 }, () => newId() as TenantId);
      for (const tenantId of tenants) await put(inSlot(), [1], { tenantId });
      const seen = new Set<string>();
      let from: string | undefined = FIRST_TENANT;
      for (let claims = 0; from !== undefined && claims < 10; claims++) {
        const claimed = await queue.claim([range({ from })]);
        for (const { tenantId } of claimed.events) seen.add(tenantId);
        from = claimed.further[0]?.tenantId;
      }
      expect(seen.size).toBe(150);
      await path.drain();
      expect(new Set(path.events().map(({ tenantId }) => tenantId)).size).toBe(150);
    });
  });

  /** `work` with what a claim of a hundred does, by a plan that was made while the queue was empty. */
  async function withClaim(work: (explain: () => Promise<Plan>) => Promise<void>): Promise<void> {
    let claim = '';
    const spy = { query: async ({ text }: Sql) => ((claim = text), []) } as unknown as BackgroundWork;
    await new QueueStore(spy).claim([]);
    await withClient(path.db.workerUrl, async (client) => {
      for (const [name, value] of Object.entries(BACKGROUND_SETTINGS))
        await client.query(`SELECT set_config($1, $2, false)`, [name, value]);
      await client.query(`SET plan_cache_mode = force_generic_plan`);
      await client.query(`PREPARE claim (smallint[], smallint[], uuid[], int[]) AS ${claim}`);
      const run = `EXECUTE claim ('{${SLOT}}', '{0}', '{${FIRST_TENANT}}', '{100}')`;
      await client.query(run);
      await work(async () => {
        const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
          `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${run}`,
        );
        return rows[0]!['QUERY PLAN'][0].Plan;
      });
    });
  }
  const blocksOf = (plan: Plan): number => plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
  const upTo = (last: number): number[] => Array.from({ length: last }, (_, n) => n + 1);

  it('is claimed by its index alone, of whatever size, with a plan that was made while it was empty', () =>
    withClaim(async (explain) => {
      await put(inSlot(), upTo(3_000));
      const plan = await explain();
      expect(plan['Actual Rows']).toBe(100);
      // A hundred events, each with its row, its key's block, and itself: three descents of a few pages.
      expect(blocksOf(plan)).toBeLessThan(1_500);
      expect(JSON.stringify(plan)).not.toMatch(/Seq Scan|Bitmap|Hash Join|Merge Join/);
    }));

  it('is not waded through twice by a claim where vacuum is held back', () =>
    withClaim(async (explain) => {
      const GONE = 3_000;
      // Behind this one's event the low-water mark stays.
      await put(inSlot(), [1], { tenantId: newId() as TenantId });
      await put(inSlot(), upTo(GONE + 10));
      await withClient(path.db.superUrl, async (holder) => {
        // As when many tenants write: one's rows lie on pages apart, and to look at each takes a page.
        await holder.query('CREATE INDEX shuffled ON outbox_queue (md5(queue_id::text))');
        await holder.query('CLUSTER outbox_queue USING shuffled; DROP INDEX shuffled');
        await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
        await holder.query('SELECT pg_current_xact_id(), count(*) FROM outbox_queue');
        const held = await holdAll('me');
        const { events } = await queue.claim([range({ limit: 2 * GONE })]);
        const gone = events.filter(
          ({ tenantId, keySeq }) => tenantId === path.house.tenantId && keySeq <= GONE,
        );
        expect(gone).toHaveLength(GONE);
        await queue.acknowledge(
          'me',
          held,
          gone.map((event) => ({ event, partition: 0, offset: 0n })),
          [],
        );
        const plan = await explain();
        expect(plan['Actual Rows']).toBe(11);
        expect(blocksOf(plan)).toBeGreaterThan(GONE);
        expect(blocksOf(plan)).toBeLessThan(1.5 * GONE);
        await holder.query('ROLLBACK');
      });
    }));

  it('sends reservations before the catalogue, and each key’s events in their order', async () => {
    const [guest, stay] = [inSlot(), inSlot()];
    await put(guest, [1, 2], { type: 'guest' });
    await put(stay, [1, 2]);
    await path.drain();
    expect(path.events().map(({ aggregateType, keySeq }) => [aggregateType, keySeq])).toEqual([
      ['reservation', 1],
      ['reservation', 2],
      ['guest', 1],
      ['guest', 2],
    ]);
  });

  describe('has a low-water mark', () => {
    const mark = async (): Promise<number> => {
      const [row] = await path.rows<{ mark: string }>(
        `SELECT low_water::text AS mark FROM outbox_slots WHERE slot = ${SLOT}`,
      );
      return Number(row!.mark);
    };
    const last = async (): Promise<number> => (await queue.writers()).last;

    it('that follows what has left, up to the first row that is still there', async () => {
      const held = await holdAll('me');
      const lowWater = new LowWater(queue, 'me');
      await put(inSlot(), [1, 2, 3]);
      const { events } = await queue.claim([range()]);
      await queue.acknowledge('me', held, [{ event: events[0]!, partition: 0, offset: 0n }], []);
      await lowWater.step(held);
      await lowWater.step(held);
      expect(await mark()).toBe(Number(events[0]!.queueId));
      expect((await queue.claim([range()])).events.map(({ keySeq }) => keySeq)).toEqual([2, 3]);
    });

    it('that never passes a number whose transaction may still commit', async () => {
      const held = await holdAll('me');
      const lowWater = new LowWater(queue, 'me');
      const ctx = of(path.house.tenantId);
      await path.uow.run(ctx, 'test.slow', async (tx) => {
        await append(tx, ctx, inSlot(), 1, {});
        await put(inSlot(), [1]);
        const { events } = await queue.claim([range()]);
        await queue.acknowledge('me', held, [{ event: events[0]!, partition: 0, offset: 0n }], []);
        for (let n = 0; n < 3; n++) await lowWater.step(held);
      });
      expect((await queue.claim([range()])).events).toHaveLength(1);
      expect(await mark()).toBe(0);
    });

    it('that does not pass the very first number, looked at before it was given', async () => {
      const held = await holdAll('me');
      const lowWater = new LowWater(queue, 'me');
      const ctx = of(path.house.tenantId);
      await path.rows(`SELECT setval('outbox_queue_queue_id_seq', 1, false)`);
      await lowWater.step(held);
      await path.uow.run(ctx, 'test.slow', async (tx) => {
        await append(tx, ctx, inSlot(), 1, {});
        await lowWater.step(held);
      });
      expect((await queue.claim([range()])).events).toHaveLength(1);
    });

    it('that a long transaction which has nothing to do with the queue does not hold', async () => {
      const held = await holdAll('me');
      const lowWater = new LowWater(queue, 'me');
      await withClient(path.db.superUrl, async (client) => {
        await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ`);
        await client.query(`CREATE TABLE long_running (n int)`);
        await put(inSlot(), [1]);
        const { events } = await queue.claim([range()]);
        await queue.acknowledge('me', held, [{ event: events[0]!, partition: 0, offset: 0n }], []);
        await put(inSlot(SLOT + 1), [1]);
        await lowWater.step(held);
        await lowWater.step(held);
        await client.query('ROLLBACK');
      });
      // Nothing is left in the slot, so the mark stays where the last row was found; the neighbour's stops before its row.
      const [neighbour] = await path.rows<{ mark: string }>(
        `SELECT low_water::text AS mark FROM outbox_slots WHERE slot = ${SLOT + 1}`,
      );
      expect(Number(neighbour!.mark)).toBe((await last()) - 1);
      expect(await mark()).toBe(await last());
    });

    it('that a writer of another database on the server does not hold', async () => {
      const other = await ReliablePath.open();
      try {
        const held = await holdAll('me');
        const lowWater = new LowWater(queue, 'me');
        const ctx = of(other.house.tenantId);
        await other.uow.run(ctx, 'test.slow', async (tx) => {
          await append(tx, ctx, inSlot(), 1, {});
          await put(inSlot(), [1]);
          const { events } = await queue.claim([range()]);
          await queue.acknowledge('me', held, [{ event: events[0]!, partition: 0, offset: 0n }], []);
          await lowWater.step(held);
          await lowWater.step(held);
        });
        expect(await mark()).toBe(await last());
      } finally {
        await other.close();
      }
    });

    it('that only the owner of the slot moves', async () => {
      const held = await holdAll('me');
      await put(inSlot(), [1]);
      await path.rows(`UPDATE outbox_slots SET epoch = epoch + 1`);
      await queue.raiseLowWater('me', held, await last());
      expect(await mark()).toBe(0);
    });
  });

  describe('puts a key that stands still on the shelf', () => {
    const shelf = async (): Promise<number[]> =>
      (await path.rows<{ priority: number }>(`SELECT priority::int FROM outbox_queue ORDER BY queue_id`)).map(
        ({ priority }) => priority,
      );

    it('and brings it back in order when it is released, from below the low-water mark as well', async () => {
      const key = inSlot();
      const { tenantId } = path.house;
      await put(key, [1, 2, 3]);
      await inWork((tx) => parkKeys(tx, [{ tenantId, aggregateId: key }], 'by hand'));
      await path.drain();
      expect([path.events(), await shelf()]).toEqual([[], [10, 10, 10]]);
      await put(key, [4]);
      await path.drain();
      expect(await shelf()).toEqual([10, 10, 10, 10]);
      await path.releaseDrainer();
      const held = await holdAll('me');
      await queue.raiseLowWater('me', held, (await queue.writers()).last);
      await path.rows(`UPDATE outbox_slots SET low_water = (SELECT last_value FROM outbox_queue_queue_id_seq),
        owner = NULL, lease_until = '-infinity'`);
      await put(key, [5]);
      expect(await inWork((tx) => releaseKeys(tx, [{ tenantId, aggregateId: key }]))).toHaveLength(1);
      await path.drain();
      expect(path.events().map(({ keySeq }) => keySeq)).toEqual([1, 2, 3, 4, 5]);
      expect(await path.count('outbox_queue')).toBe(0);
    });

    it('but not one that was released between the look and the shelving', async () => {
      const key = inSlot();
      const { tenantId } = path.house;
      await put(key, [1]);
      const held = await holdAll('me');
      await inWork((tx) => parkKeys(tx, [{ tenantId, aggregateId: key }], 'by hand'));
      const { parked } = await queue.claim([range()]);
      expect(parked).toHaveLength(1);
      await inWork((tx) => releaseKeys(tx, [{ tenantId, aggregateId: key }]));
      await queue.shelve('me', held, parked);
      expect(await shelf()).toEqual([0]);
    });
  });

  describe('holds one active event of a dedupe key and tenant', () => {
    const changeOnce = async (key: string, version: number, dedupeKey: string): Promise<boolean> => {
      const ctx = of(path.house.tenantId);
      return path.uow.run(ctx, 'test.once', async (tx) => {
        if (await isQueued(tx, dedupeKey)) return false;
        await append(tx, ctx, key, version, { dedupeKey });
        return true;
      });
    };

    it('so that of many at once one is accepted, and versions stay without gaps', async () => {
      const key = inSlot();
      const accepted = await Promise.all(Array.from({ length: 8 }, () => changeOnce(key, 1, 'refresh')));
      expect(accepted.filter(Boolean)).toHaveLength(1);
      await path.drain();
      expect(await changeOnce(key, 2, 'refresh')).toBe(true);
      await path.drain();
      expect(path.events().map(({ keySeq }) => keySeq)).toEqual([1, 2]);
    });

    it('by the database itself, which other tenants and events without a key don’t concern', async () => {
      await put(inSlot(), [1], { dedupeKey: 'refresh' });
      await put(inSlot(), [1], { dedupeKey: 'refresh', tenantId: newId() as TenantId });
      await put(inSlot(), [1, 2]);
      await expect(put(inSlot(), [1], { dedupeKey: 'refresh' })).rejects.toMatchObject({
        constraint: 'outbox_queue_dedupe',
      });
    });

    it('until it is given up: then another may come', async () => {
      await put(inSlot(), [1], { dedupeKey: 'refresh' });
      const relay = path.relay(new RefusingLog({ store: path.store }), { retryScheduleMs: [] });
      await relay.runOnce();
      expect(await statuses()).toEqual({ DLQ: 1 });
      expect(await changeOnce(inSlot(), 1, 'refresh')).toBe(true);
    });
  });

  it('tells each event’s status in an operator’s terms', async () => {
    const [dead, alone] = [inSlot(), inSlot(SLOT + 1)];
    await put(dead, [1, 2]);
    expect(await statuses()).toEqual({ PENDING: 2 });
    const log = new RefusingLog({ store: path.store });
    const relay = path.relay(log, { retryScheduleMs: [60_000] });
    await relay.leaseLoop.runOnce();
    expect(await statuses()).toEqual({ IN_PROGRESS: 2 });
    await relay.runOnce();
    expect(await statuses()).toEqual({ FAILED: 1, IN_PROGRESS: 1 });
    await path.rows(`UPDATE outbox_blocked_keys SET next_attempt_at = now()`);
    await relay.runOnce();
    expect(await statuses()).toEqual({ DLQ: 1, PARKED: 1 });
    log.refuses = false;
    await put(alone, [1]);
    await relay.runOnce();
    expect(await statuses()).toEqual({ DELIVERED: 1, DLQ: 1, PARKED: 1 });
    await inWork((tx) => releaseKeys(tx, [{ tenantId: path.house.tenantId, aggregateId: dead }]));
    while (await relay.runOnce());
    expect(await statuses()).toEqual({ DELIVERED: 3 });
  });

  it('publishes again what the log lost: once for each time it is asked, with the first checkpoint kept', async () => {
    const key = inSlot();
    await put(key, [1, 2]);
    await path.drain();
    const receipts = (): Promise<
      { keySeq: number; publishedAt: Date; offset: string; republished: number }[]
    > =>
      path.rows(`SELECT key_seq AS "keySeq", published_at AS "publishedAt", log_offset::text AS offset, republished
        FROM event_receipts ORDER BY 1`);
    const before = await receipts();
    const events = path.events().map((event) => ({
      tenantId: event.tenantId,
      aggregateId: event.aggregateId,
      keySeq: event.keySeq,
      occurredAt: event.occurredAt,
      aggregateType: event.aggregateType,
    }));
    expect(await inWork((tx) => publishAgain(tx, events))).toBe(2);
    expect(await inWork((tx) => publishAgain(tx, events))).toBe(0);
    expect(await statuses()).toEqual({ IN_PROGRESS: 2 });
    await path.drain();
    expect(path.events().map(({ keySeq }) => keySeq)).toEqual([1, 2, 1, 2]);
    const after = await receipts();
    expect(after.map(({ publishedAt }) => publishedAt)).toEqual(before.map(({ publishedAt }) => publishedAt));
    expect(after.map(({ offset, republished }) => [offset, republished])).toEqual([
      ['2', 1],
      ['3', 1],
    ]);
  });

  it('lets no role of ours rewrite when an event was published', async () => {
    const rewrite = sql('test.rewrite', `UPDATE event_receipts SET published_at = now()`);
    await expect(path.work.query(rewrite, [])).rejects.toMatchObject({ code: '42501' });
  });
});
