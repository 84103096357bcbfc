import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import {
  PartitionRotation,
  type Step,
  type StepOutcome,
} from '../../src/modules/maintenance/rotation/partition-rotation.js';
import { makeContext } from '../../src/platform/context/op-context.js';
import { isoDate, type IsoDate } from '../../src/platform/kernel/dates.js';
import { newId, PLATFORM_TENANT_ID } from '../../src/platform/kernel/ids.js';
import { withClient } from '../support/fixtures.js';
import { ReliablePath } from '../support/reliable-path.js';

const TABLES = ['audit_log', 'event_inbox', 'event_receipts', 'outbox_events'];
const OLD = isoDate('2020-03-01');
const BY = makeContext({
  tenantId: PLATFORM_TENANT_ID,
  subject: 'tester',
  permissions: [],
  source: 'system',
});
const RETENTION = {
  retentionMonths: { outbox_events: 13, event_receipts: 13, event_inbox: 13, audit_log: 84 },
  detachedPartitionDays: 0,
};

let path: ReliablePath;
let rotation: PartitionRotation;
beforeAll(async () => {
  path = await ReliablePath.open();
  rotation = new PartitionRotation(path.work, RETENTION);
});
afterAll(() => path.close());

const rotate = async (wanted: (step: Step) => boolean = () => true): Promise<StepOutcome[]> =>
  rotation.run((await rotation.plan()).filter(wanted), BY, 'test');
const names = (outcomes: readonly StepOutcome[]): string[] =>
  outcomes.map(({ action, table, month, outcome }) => `${action} ${table} ${month} ${outcome}`);
const exists = async (table: string): Promise<boolean> =>
  (await path.rows<{ there: boolean }>(`SELECT to_regclass($1) IS NOT NULL AS there`, [table]))[0]!.there;

const EVENT = `INSERT INTO outbox_events (tenant_id, aggregate_id, key_seq, occurred_at, event_id, aggregate_type, event_type,
    event_version, data, correlation_id, traceparent, actor, received_at)
  VALUES ($1, $2, $3, $4, gen_random_uuid(), 'guest', 'guest.updated', 1, '{}', $2, 't', 'a', $4)`;

/** Events 1 to `count` of a new key, at `at`; applied unless told otherwise. */
async function events(at: string, count = 1, applied = true): Promise<string> {
  const key = newId();
  for (let seq = 1; seq <= count; seq += 1) await path.rows(EVENT, [path.house.tenantId, key, seq, at]);
  if (applied)
    await path.rows(`INSERT INTO event_key_marks VALUES ($1, $2, $3)`, [path.house.tenantId, key, count]);
  return key;
}

describe('the rotation of months', () => {
  it('moves the rows of the default partitions into months, forced, walled and append-only as the others', async () => {
    const key = await events('2020-03-15T12:00:00Z', 3);
    await events('2020-03-31T23:59:59.999999Z');
    await events('2020-04-01T00:00:00Z');
    expect(await path.count('outbox_events_default')).toBe(5);
    expect(names(await rotate(({ action }) => action === 'make'))).toEqual([
      'make outbox_events 2020-03-01 done',
      'make outbox_events 2020-04-01 done',
    ]);
    expect([
      await path.count('outbox_events_default'),
      await path.count('outbox_events_2020_03'),
      await path.count('outbox_events_2020_04'),
      await path.count('outbox_events'),
    ]).toEqual([0, 4, 1, 5]);
    const [walls] = await path.rows(
      `SELECT relrowsecurity, relforcerowsecurity, has_table_privilege('tartware_worker', oid, 'SELECT') AS read
         FROM pg_class WHERE relname = 'outbox_events_2020_03'`,
    );
    expect(walls).toEqual({ relrowsecurity: true, relforcerowsecurity: true, read: false });
    for (const change of [
      `DELETE FROM outbox_events WHERE aggregate_id = '${key}'`,
      `DELETE FROM outbox_events_default`,
      `TRUNCATE outbox_events_2020_03`,
    ]) {
      await path
        .rows(EVENT, [path.house.tenantId, newId(), 1, '1999-01-01T00:00:00Z'])
        .catch(() => undefined);
      await expect(path.rows(change)).rejects.toMatchObject({ code: '42501' });
    }
  });
});
