import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { newId } from '../../src/platform/kernel/ids.js';
import { refusalBy, rolledBack } from '../support/fixtures.js';
import { ReliablePath, reservationData } from '../support/reliable-path.js';

/** What is written once: table, and an assignment that would write it anew. */
const WRITTEN_ONCE: readonly (readonly [table: string, change: string])[] = [
  ['outbox_events', `received_at = now()`],
  ['outbox_events', `occurred_at = now()`],
  ['outbox_events', `actor = 'nobody'`],
  ['outbox_events', `correlation_id = gen_random_uuid()`],
  ['event_receipts', `published_at = now()`],
  ['event_receipts', `key_seq = key_seq + 1`],
  ['event_inbox', `consumed_at = now()`],
  ['event_inbox', `applied_at = now()`],
  ['dead_letters', `created_at = now()`],
];

describe('the checkpoints', () => {
  let path: ReliablePath;
  let clients: Record<'app' | 'worker' | 'superuser', pg.Client>;

  beforeAll(async () => {
    path = await ReliablePath.open();
    const [good, bad] = [newId(), newId()];
    const stay = {
      propertyId: path.house.propertyId,
      status: 'CONFIRMED',
      arrival: '2027-03-01',
      nightlyMinor: [1],
    };
    await path.reserve(good, 1, reservationData(stay), 'reservation.created');
    await path.reserve(bad, 1, { propertyId: 'broken' });
    await path.drain();
    await path.consume(path.consumer());
    const open = async (url: string): Promise<pg.Client> => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      return client;
    };
    const { appUrl, workerUrl, superUrl } = path.db;
    clients = { app: await open(appUrl), worker: await open(workerUrl), superuser: await open(superUrl) };
  });
  afterAll(async () => {
    for (const client of Object.values(clients)) await client.end();
    await path.close();
  });

  const inScope = (role: keyof typeof clients, text: string): Promise<pg.DatabaseError | undefined> =>
    rolledBack(clients[role], path.house.tenantId, () => refusalBy(clients[role], text));

  it('are there to be rewritten: each table of them has a row', async () => {
    for (const table of new Set(WRITTEN_ONCE.map(([name]) => name)))
      expect([table, await path.count(table)]).not.toEqual([table, 0]);
  });

  describe.each(WRITTEN_ONCE)('%s: %s', (table, change) => {
    it.each(['app', 'worker'] as const)('is refused to the %s', async (role) => {
      // Of a dead letter the worker may change its status, and a rule knows the rest; elsewhere a grant is missing.
      const code = table === 'dead_letters' && role === 'worker' ? '23514' : '42501';
      expect(await inScope(role, `UPDATE ${table} SET ${change}`)).toMatchObject({ code });
    });

    // The superuser passes all grants and policies: what is left in the way is the rule itself.
    it('is refused to everybody, by a rule', async () => {
      const refused = await inScope('superuser', `UPDATE ${table} SET ${change}`);
      expect(refused?.code).toMatch(/^(42501|23514)$/);
    });
  });

  it.each(['outbox_events', 'event_receipts', 'event_inbox', 'dead_letters'])(
    'of %s are deleted by no role of ours',
    async (table) => {
      for (const role of ['app', 'worker'] as const)
        expect(await inScope(role, `DELETE FROM ${table}`)).toMatchObject({ code: '42501' });
    },
  );

  it('let a lost record be published again by the worker alone, counted, and never uncounted', async () => {
    const again = `UPDATE event_receipts SET requeued_at = now(), republished = republished + 1`;
    expect(await inScope('app', again)).toMatchObject({ code: '42501' });
    expect(await inScope('worker', again)).toBeUndefined();
    for (const role of ['worker', 'superuser'] as const) {
      expect(await inScope(role, `UPDATE event_receipts SET requeued_at = now()`)).toMatchObject({
        code: '42501',
      });
      const client = clients[role];
      await rolledBack(client, path.house.tenantId, async () => {
        await client.query(again);
        const less = `UPDATE event_receipts SET republished = republished - 1`;
        expect(await refusalBy(client, less)).toMatchObject({ code: '42501' });
      });
    }
  });

  it('keep the mark of a key from going back', async () => {
    for (const role of ['app', 'worker', 'superuser'] as const)
      expect(await inScope(role, `UPDATE event_key_marks SET applied_seq = applied_seq - 1`)).toMatchObject({
        code: '42501',
      });
    expect(
      await inScope('worker', `UPDATE event_key_marks SET applied_seq = applied_seq + 1`),
    ).toBeUndefined();
  });

  it('keep what an operator asked for, and its outcome, as they were written', async () => {
    const ask = `INSERT INTO lifecycle_resumptions (tenant_id, resumption_id, subject_type, subject_id, reason, actor, source, correlation_id)
      VALUES ('${path.house.tenantId}', gen_random_uuid(), 'request', gen_random_uuid(), 'why', 'tester', 'http', gen_random_uuid())`;
    const done = `UPDATE lifecycle_resumptions SET outcome = '{}', done_at = now()`;
    const { app, worker, superuser } = clients;
    await rolledBack(app, path.house.tenantId, async () => {
      await app.query(ask);
      expect(await refusalBy(app, done)).toMatchObject({ code: '42501' });
      expect(await refusalBy(app, `DELETE FROM lifecycle_resumptions`)).toMatchObject({ code: '42501' });
    });
    await rolledBack(worker, path.house.tenantId, async () => {
      await worker.query(ask);
      expect(await refusalBy(worker, `UPDATE lifecycle_resumptions SET reason = 'another'`)).toMatchObject({
        code: '42501',
      });
      await worker.query(done);
      expect(await refusalBy(worker, done)).toMatchObject({ code: '42501' });
    });
    await rolledBack(superuser, null, async () => {
      await superuser.query(ask);
      for (const text of [
        `UPDATE lifecycle_resumptions SET actor = 'another'`,
        `DELETE FROM lifecycle_resumptions`,
      ])
        expect(await refusalBy(superuser, text)).toMatchObject({ code: '42501' });
    });
  });
});
