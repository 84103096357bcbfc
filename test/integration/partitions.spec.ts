import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  exportPartition,
  type PartitionExport,
} from '../../src/modules/maintenance/export/export-partition.js';
import { recordExport } from '../../src/modules/maintenance/persistence/partition-store.js';
import {
  PartitionRotation,
  type Step,
  type StepOutcome,
} from '../../src/modules/maintenance/rotation/partition-rotation.js';
import { makeContext } from '../../src/platform/context/op-context.js';
import { withOwnerSession } from '../../src/platform/database/owner-session.js';
import { newId, PLATFORM_TENANT_ID } from '../../src/platform/kernel/ids.js';
import { withClient } from '../support/fixtures.js';
import { ReliablePath } from '../support/reliable-path.js';

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
    await path.rows(EVENT, [path.house.tenantId, newId(), 1, '1999-01-01T00:00:00Z']);
    for (const change of [
      `DELETE FROM outbox_events WHERE aggregate_id = '${key}'`,
      `DELETE FROM outbox_events_default`,
      `TRUNCATE outbox_events_2020_03`,
    ])
      await expect(path.rows(change)).rejects.toMatchObject({ code: '42501' });
  });

  it('in mid-load loses nothing: writers on both sides of a month boundary, months made under them, two workers at once', async () => {
    const times = ['2021-06-30T23:59:59Z', '2021-07-01T00:00:00Z'];
    let over = false;
    const written: string[] = [];
    const faults: unknown[] = [];
    const writer = async (): Promise<void> => {
      await withClient(path.db.superUrl, async (client) => {
        for (let i = 0; !over; i += 1) {
          const key = newId();
          await client.query(EVENT, [path.house.tenantId, key, 1, times[i % 2]]);
          written.push(key);
        }
      });
    };
    const reader = async (): Promise<void> => {
      while (!over) {
        const known = written.length;
        const [row] = await path.rows<{ n: number }>(
          `SELECT count(*)::int AS n FROM outbox_events WHERE occurred_at >= '2021-06-01' AND occurred_at < '2021-08-01'`,
        );
        if (row!.n < known) faults.push(`${row!.n} of ${known}`);
      }
    };
    const load = [writer(), writer(), writer(), reader()].map((work) =>
      work.catch((error) => faults.push(error)),
    );
    while (written.length < 200) await path.count('outbox_queue');
    const mine = (step: Step): boolean => step.month.startsWith('2021');
    const other = new PartitionRotation(path.work, RETENTION);
    // Until both months are there: a lock that is not to be had within half a second is left for the next time.
    while ((await rotation.plan()).some((step) => mine(step) && step.action === 'make'))
      await Promise.all(
        [rotation, other].map(async (one) =>
          one.run(
            (await one.plan()).filter((step) => mine(step) && step.action === 'make'),
            BY,
            'test',
          ),
        ),
      );
    const half = written.length;
    while (written.length < half + 200) await path.count('outbox_queue');
    over = true;
    await Promise.all(load);
    expect(faults).toEqual([]);
    const rows = await path.rows<{ key: string; table: string }>(
      `SELECT aggregate_id AS key, tableoid::regclass::text AS table FROM outbox_events WHERE occurred_at >= '2021-06-01' AND occurred_at < '2021-08-01'`,
    );
    expect(rows.map(({ key }) => key).sort()).toEqual([...written].sort());
    expect(new Set(rows.map(({ table }) => table))).toEqual(
      new Set(['outbox_events_2021_06', 'outbox_events_2021_07']),
    );
    await path.rows(`INSERT INTO event_key_marks SELECT $1, unnest($2::uuid[]), 1`, [
      path.house.tenantId,
      written,
    ]);
  });
});

/** As the consumer does once it has applied a key's first event. */
const settle = (key: string) =>
  path.rows(`INSERT INTO event_key_marks VALUES ($1, $2, 1) ON CONFLICT DO NOTHING`, [
    path.house.tenantId,
    key,
  ]);

const LETTER = `INSERT INTO dead_letters (tenant_id, dead_letter_id, consumer_group, topic, partition, log_offset, event_id,
    aggregate_id, key_seq, occurred_at, status, record_headers, retry_count, attempted_at, failure_code, failure_cause)
  VALUES ($1, gen_random_uuid(), 'g', 't', 0, 0, gen_random_uuid(), $2, 1, $3, $4, '{}', 3, now(), 'X', 'x')`;

/** What holds a month back: how it comes about in the month of `at`, and how it is settled. */
const HOLDS: readonly (readonly [reason: string, hold: (at: string) => Promise<() => Promise<unknown>>])[] = [
  [
    'unapplied',
    async (at) => {
      const key = await events(at, 1, false);
      return () => settle(key);
    },
  ],
  [
    'queued',
    async (at) => {
      const key = await events(at);
      await path.rows(
        `INSERT INTO outbox_queue (slot, tenant_id, aggregate_id, key_seq, occurred_at) VALUES (0, $1, $2, 1, $3)`,
        [path.house.tenantId, key, at],
      );
      return () => path.rows(`DELETE FROM outbox_queue WHERE aggregate_id = $1`, [key]);
    },
  ],
  [
    'blocked',
    async (at) => {
      const key = await events(at);
      await path.rows(
        `INSERT INTO outbox_blocked_keys (tenant_id, aggregate_id, key_seq, status, attempts, cause) VALUES ($1, $2, 1, 'PARKED', 0, 'x')`,
        [path.house.tenantId, key],
      );
      return () => path.rows(`DELETE FROM outbox_blocked_keys WHERE aggregate_id = $1`, [key]);
    },
  ],
  ...(['DEAD', 'PARKED'] as const).map(
    (status) =>
      [
        status.toLowerCase(),
        async (at: string) => {
          const key = await events(at);
          await path.rows(LETTER, [path.house.tenantId, key, at, status]);
          return () => path.rows(`DELETE FROM dead_letters WHERE aggregate_id = $1`, [key]);
        },
      ] as const,
  ),
];

describe('a month past its time', () => {
  it.each(HOLDS.map(([reason, hold], i) => [reason, hold, `2019-0${i + 1}`] as const))(
    'stays while an event of it is %s, and goes once that is settled',
    async (reason, hold, month) => {
      const settled = await hold(`${month}-10T00:00:00Z`);
      const mine = (step: Step): boolean => step.month.startsWith(month) && step.table === 'outbox_events';
      const child = `outbox_events_${month.replace('-', '_')}`;
      expect(names(await rotate(mine))).toEqual([`make outbox_events ${month}-01 done`]);
      const [held] = await rotate(mine);
      expect(held).toMatchObject({ action: 'detach', outcome: 'held', why: `${child} is held: 1 ${reason}` });
      const status = (await rotation.status(false)).find(({ partition }) => partition === child);
      expect(status).toMatchObject({ due: true, heldBy: [{ reason, events: 1 }] });
      // Nor does the database itself let it go, whoever asks.
      await expect(
        withClient(path.db.workerUrl, (worker) =>
          worker.query(`SELECT app.detach_partition('outbox_events', $1, 13)`, [`${month}-01`]),
        ),
      ).rejects.toMatchObject({ code: '55000' });
      expect(await exists(child)).toBe(true);
      await settled();
      expect(names(await rotate(mine))).toEqual([`detach outbox_events ${month}-01 done`]);
      expect(await path.count(child)).toBe(1);
      expect(names(await rotate(mine))).toEqual([`drop outbox_events ${month}-01 done`]);
      expect(await exists(child)).toBe(false);
    },
  );

  it('stays detached and undropped while an event of it has become dead again', async () => {
    const at = '2018-05-05T00:00:00Z';
    const key = await events(at);
    const mine = (step: Step): boolean => step.month === '2018-05-01';
    await rotate(mine);
    await rotate(mine);
    await path.rows(LETTER, [path.house.tenantId, key, at, 'DEAD']);
    expect((await rotate(mine))[0]).toMatchObject({ action: 'drop', outcome: 'held' });
    expect(await exists('outbox_events_2018_05')).toBe(true);
    await path.rows(`DELETE FROM dead_letters WHERE aggregate_id = $1`, [key]);
  });

  it('is checked in slices, beyond which a held one does not get', async () => {
    const at = '2018-03-05T00:00:00Z';
    await Promise.all([events(at, 4), events(at, 4), events(at, 4)]);
    await rotate((step) => step.month === '2018-03-01');
    const check = async (): Promise<string> =>
      (
        await withClient(path.db.workerUrl, (worker) =>
          worker.query(`SELECT app.check_partition('outbox_events', '2018-03-01', 5) AS r`),
        )
      ).rows[0].r;
    expect([await check(), await check(), await check(), await check()]).toEqual([
      'more',
      'more',
      'passed',
      'passed',
    ]);
    const late = await events('2018-04-05T00:00:00Z', 3, false);
    await rotate((step) => step.month === '2018-04-01');
    await rotate((step) => step.month === '2018-04-01');
    const ledger = `SELECT unapplied::int, checked_at, checked_key FROM partition_ledger WHERE partition = 'outbox_events_2018_04'`;
    expect(await path.rows(ledger)).toEqual([{ unapplied: 3, checked_at: null, checked_key: null }]);
    await path.rows(`INSERT INTO event_key_marks VALUES ($1, $2, 3)`, [path.house.tenantId, late]);
  });

  it('leaves its table in an audited act, and never this month or the last', async () => {
    const acts = await path.rows<{ action: string }>(
      `SELECT action, changes->>'partition' AS partition, changes->>'reason' AS reason, actor FROM audit_log
        WHERE resource_type = 'partition' AND changes->>'partition' = 'outbox_events_2019_01' ORDER BY occurred_at`,
    );
    const common = { partition: 'outbox_events_2019_01', reason: 'test', actor: 'tester' };
    expect(acts).toEqual([
      { action: 'partition.detached', ...common },
      { action: 'partition.dropped', ...common },
    ]);
    for (const keep of [0, 1])
      await expect(
        withClient(path.db.workerUrl, (worker) =>
          worker.query(`SELECT app.detach_partition('outbox_events', '2020-03-01', $1)`, [keep]),
        ),
      ).rejects.toMatchObject({ code: '22023' });
    await expect(
      withClient(path.db.workerUrl, (worker) =>
        worker.query(`SELECT app.detach_partition('audit_log', date_trunc('month', now())::date, 13)`),
      ),
    ).rejects.toMatchObject({ code: '55000' });
  });

  it('does not make others wait: a lock that is not to be had within half a second is given up', async () => {
    await events('2017-01-05T00:00:00Z');
    const mine = (step: Step): boolean => step.month === '2017-01-01';
    await rotate(mine);
    await withClient(path.db.superUrl, async (reader) => {
      await reader.query('BEGIN');
      await reader.query('SELECT count(*) FROM outbox_events');
      const started = performance.now();
      expect((await rotate(mine))[0]).toMatchObject({ action: 'detach', outcome: 'busy' });
      expect(performance.now() - started).toBeLessThan(5_000);
      await reader.query('ROLLBACK');
    });
    expect(names(await rotate(mine))).toEqual(['detach outbox_events 2017-01-01 done']);
  });

  it('is refused when the guard would be blind', async () => {
    await events('2016-01-05T00:00:00Z', 1, false);
    const mine = (step: Step): boolean => step.month === '2016-01-01';
    await rotate(mine);
    await withClient(path.db.superUrl, async (superuser) => {
      await superuser.query(`ALTER POLICY maintenance ON event_key_marks TO tartware_app`);
      await expect(rotate(mine)).rejects.toMatchObject({ code: '42501' });
      await superuser.query(`ALTER POLICY maintenance ON event_key_marks TO tartware_owner`);
    });
    expect((await rotate(mine))[0]).toMatchObject({ outcome: 'held' });
  });
});

describe('the export of a detached month', () => {
  it('brings every row, gzipped or not, all or nothing, and only then may a month of the audit log go', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tartware-export-'));
    const month = 'audit_log_2015_02';
    await path.rows(
      `INSERT INTO audit_log (tenant_id, audit_id, occurred_at, actor, source, action, resource_type, resource_id, correlation_id, changes)
       SELECT $1, gen_random_uuid(), '2015-02-03T04:05:06.123456Z', 'a', 'http', 'guest.updated', 'guest', $1, $1,
              E'{"text": "Zürich\\\\n\\\\u2028 東京",\n "n": 1e400}'::json FROM generate_series(1, 4500)`,
      [path.house.tenantId],
    );
    const mine = (step: Step): boolean => step.month === '2015-02-01';
    const exported = (file: string): Promise<PartitionExport> =>
      withOwnerSession(path.db.ownerUrl, (session) => exportPartition(session, month, join(folder, file)));
    await rotate(mine);
    await expect(exported('early')).rejects.toThrow('is no detached month');
    expect(names(await rotate(mine))).toEqual(['detach audit_log 2015-02-01 done']);
    expect((await rotate(mine))[0]).toMatchObject({ outcome: 'held', why: `${month} is held: not exported` });
    const plain = await exported('rows.jsonl');
    const packed = await exported('rows.jsonl.gz');
    const bytes = await readFile(join(folder, 'rows.jsonl'));
    expect(gunzipSync(await readFile(join(folder, 'rows.jsonl.gz'))).equals(bytes)).toBe(true);
    expect(plain).toEqual({
      partition: month,
      rows: 4500,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    });
    const lines = bytes.toString().trimEnd().split('\n');
    const [row] = await path.rows<{ row: object }>(
      `SELECT to_jsonb(t) AS row FROM ${month} t ORDER BY tenant_id, audit_id LIMIT 1`,
    );
    expect(lines).toHaveLength(4500);
    expect({ ...JSON.parse(lines[0]!), changes: null }).toEqual({ ...row!.row, changes: null });
    expect(lines[0]).toContain('"text": "Zürich\\n\\u2028 東京",  "n": 1e400');
    expect(packed.rows).toBe(4500);
    // A broken one leaves no file.
    await expect(exported('no/such/folder')).rejects.toMatchObject({ code: 'ENOENT' });
    expect((await readdir(folder)).sort()).toEqual(['rows.jsonl', 'rows.jsonl.gz']);
    const record = (rows: number): Promise<unknown> =>
      path.work.run('test.record', (tx) => recordExport(tx, month, rows, plain.sha256));
    await expect(record(4499)).rejects.toMatchObject({ code: '55000' });
    await record(plain.rows);
    expect(names(await rotate(mine))).toEqual(['drop audit_log 2015-02-01 done']);
    await rm(folder, { recursive: true });
  });
});
