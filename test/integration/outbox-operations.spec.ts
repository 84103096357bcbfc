import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type OutboxFilter,
  OutboxOperations,
} from '../../src/modules/outbox/operations/outbox-operations.js';
import { reindex } from '../../src/platform/database/reindex.js';
import { makeContext, type OpContext } from '../../src/platform/context/op-context.js';
import { newId, PLATFORM_TENANT_ID, type TenantId } from '../../src/platform/kernel/ids.js';
import { ReliablePath } from '../support/reliable-path.js';

const ANY: OutboxFilter = { limit: 100 };

describe('an operator', () => {
  let path: ReliablePath;
  let operations: OutboxOperations;
  let operator: OpContext;
  let keys: string[];

  beforeEach(async () => {
    path = await ReliablePath.open();
    operations = new OutboxOperations(path.work);
    operator = makeContext({
      tenantId: PLATFORM_TENANT_ID,
      subject: 'cli:tester',
      permissions: ['*'],
      source: 'cli',
    });
    keys = Array.from({ length: 3 }, () => newId());
    for (const key of keys) await path.reserve(key, 1, {}, 'reservation.created');
    await path.reserve(keys[0]!, 2, {}, 'reservation.cancelled');
  });
  afterEach(() => path.close());

  const keysOf = (rows: readonly { aggregateId: string }[]): string[] =>
    rows.map(({ aggregateId }) => aggregateId).sort();

  it('sees the events that wait, by every filter and by all of them together', async () => {
    const of = async (filter: Partial<OutboxFilter>): Promise<number> =>
      (await operations.list({ ...ANY, ...filter })).length;
    const { tenantId } = path.house;
    expect(await of({})).toBe(4);
    expect(await of({ tenantId })).toBe(4);
    expect(await of({ tenantId: newId() as TenantId })).toBe(0);
    expect(await of({ aggregateId: keys[0]! })).toBe(2);
    expect(await of({ type: 'reservation.cancelled' })).toBe(1);
    expect(await of({ status: 'PENDING' })).toBe(4);
    expect(await of({ status: 'FAILED' })).toBe(0);
    expect(await of({ olderThanSeconds: 3600 })).toBe(0);
    expect(await of({ limit: 3 })).toBe(3);
    expect(
      await of({ tenantId, aggregateId: keys[0]!, type: 'reservation.created', status: 'PENDING' }),
    ).toBe(1);
    await path.drain();
    expect([await of({}), await of({ status: 'DELIVERED' })]).toEqual([0, 4]);
  });

  it('parks keys, which then stay while others go on, and requeues them, each act with its reason in the tenant’s audit log', async () => {
    const [parked] = await operations.waiting({ ...ANY, aggregateId: keys[0]! });
    expect(await operations.park(operator, [parked!], 'looked at')).toBe(1);
    await path.drain();
    expect(new Set(path.events().map(({ aggregateId }) => aggregateId))).toEqual(new Set(keys.slice(1)));
    expect(keysOf(await operations.list({ ...ANY, status: 'PARKED' }))).toEqual([keys[0], keys[0]]);
    const held = await operations.held(ANY);
    expect(keysOf(held)).toEqual([keys[0]]);
    expect(await operations.requeue(operator, held, 'all is well')).toBe(1);
    await path.drain();
    expect(path.events()).toHaveLength(4);
    expect(
      await path.rows(`SELECT tenant_id AS tenant, actor, source, action, resource_type AS type, resource_id AS id, changes
        FROM audit_log WHERE source = 'cli' ORDER BY occurred_at`),
    ).toEqual(
      [
        {
          action: 'outbox.parked',
          changes: { reason: 'looked at', keySeq: 1, status: 'PENDING', attempts: 0 },
        },
        {
          action: 'outbox.requeued',
          changes: { reason: 'all is well', keySeq: 1, status: 'PARKED', attempts: 0 },
        },
      ].map((act) => ({
        tenant: path.house.tenantId,
        actor: 'cli:tester',
        source: 'cli',
        type: 'reservation',
        id: keys[0],
        ...act,
      })),
    );
  });

  it('is not recorded as having changed a key that went on by itself meanwhile', async () => {
    const heads = await operations.waiting(ANY);
    expect(heads).toHaveLength(3);
    await path.drain();
    expect(await operations.park(operator, heads, 'too late')).toBe(0);
    expect(await operations.requeue(operator, heads, 'nothing is held')).toBe(0);
    expect(await path.rows(`SELECT action FROM audit_log WHERE source = 'cli'`)).toEqual([]);
  });

  it('builds the indexes anew while events come and go, and clears what a killed build left behind', async () => {
    await path.rows(`CREATE INDEX outbox_queue_pkey_ccnew ON outbox_queue (queue_id)`);
    await path.rows(
      `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'outbox_queue_pkey_ccnew'::regclass`,
    );
    const told: string[] = [];
    const [done] = await Promise.all([
      reindex(path.db.ownerUrl, ['outbox_queue', 'event_receipts'], ({ index }) => told.push(index)),
      path.drain(),
    ]);
    expect(told).toEqual(done.map(({ index }) => index));
    expect(told).toEqual(expect.arrayContaining(['outbox_queue_pkey', 'event_receipts_default_pkey']));
    expect(await path.rows(`SELECT relname FROM pg_class WHERE relname LIKE '%ccnew%'`)).toEqual([]);
    expect(path.events()).toHaveLength(4);
  });
});
