import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { Backfill, type BackfillProgress } from '../../src/modules/maintenance/backfill/backfill.js';
import { PartitionStore } from '../../src/modules/maintenance/persistence/partition-store.js';
import { openDataSource } from '../../src/platform/database/data-source.js';
import { withOwnerSession } from '../../src/platform/database/owner-session.js';
import { sql } from '../../src/platform/database/sql.js';
import { BackgroundWork, UnitOfWork } from '../../src/platform/database/unit-of-work.js';
import { startChild } from '../support/child.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { createHouse, withClient, type TestHouse } from '../support/fixtures.js';

const walls = `
  ALTER TABLE history ENABLE ROW LEVEL SECURITY;
  ALTER TABLE history FORCE ROW LEVEL SECURITY;
  CREATE POLICY history_tenant ON history TO tartware_app, tartware_worker
    USING (tenant_id = (SELECT app.tenant_id())) WITH CHECK (tenant_id = (SELECT app.tenant_id()));
  GRANT SELECT, INSERT, UPDATE, DELETE ON history TO tartware_app`;

/** Everything that a table may have and that has to come along. */
const HISTORY = `
  CREATE TABLE history (
    tenant_id uuid NOT NULL REFERENCES tenants (tenant_id),
    id        integer NOT NULL,
    at        timestamptz NOT NULL,
    note      text NOT NULL DEFAULT 'new' CHECK (length(note) < 100),
    size      integer GENERATED ALWAYS AS (length(note)) STORED,
    "odd ""name" text,
    PRIMARY KEY (tenant_id, id, at)
  ) WITH (fillfactor = 80);
  CREATE INDEX history_note ON history (note, tenant_id) WHERE note <> 'dull';
  CREATE UNIQUE INDEX history_at ON history (at, id, tenant_id);
  CREATE FUNCTION refuse_dull() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF NEW.note = 'refused' THEN RAISE EXCEPTION 'refused' USING ERRCODE = '42501'; END IF; RETURN NEW; END $$;
  CREATE TRIGGER history_refuse BEFORE INSERT OR UPDATE ON history FOR EACH ROW EXECUTE FUNCTION refuse_dull();
  CREATE TRIGGER history_no_truncate BEFORE TRUNCATE ON history EXECUTE FUNCTION app.refuse_change();
  ${walls}`;

const READ = sql(
  'test.read',
  `SELECT count(*) AS n, count(DISTINCT id) AS ids, sum(id) AS sum FROM history WHERE id > 0`,
);
const ADD = sql('test.add', `INSERT INTO history (tenant_id, id, at, note) VALUES ($1, $2, $3, 'added')`);
const CHANGE = sql(
  'test.change',
  `UPDATE history SET note = note || '.' WHERE id = $1 AND length(note) < 90`,
);
const MOVE = sql('test.move', `UPDATE history SET at = at + interval '40 days' WHERE id = $1`);
const REMOVE = sql('test.remove', `DELETE FROM history WHERE id = $1`);

const ROWS = 20_000;
const FIRST = '2026-01-01T00:00:00Z';

let db: TestDatabase;
let house: TestHouse;
let source: DataSource;
let uow: UnitOfWork;

const asOwner = <T extends object>(text: string): Promise<T[]> =>
  withOwnerSession(db.ownerUrl, (session) => session.query<T>(text));
const asSuper = <T extends object>(text: string): Promise<T[]> =>
  withClient(db.superUrl, async (client) => (await client.query(text)).rows as T[]);
const options = (batch = 1_000) => ({ table: 'history', column: 'at', batch });
const backfill = (report?: (progress: BackfillProgress) => void, batch?: number) =>
  withOwnerSession(db.ownerUrl, (session) => new Backfill(session, options(batch), report).run());
/** Positive ids are there from the start, one in ten minutes; negative ones are written meanwhile. */
const fill = (rows = ROWS) =>
  withClient(db.superUrl, (client) =>
    client.query(
      `INSERT INTO history (tenant_id, id, at) SELECT $1, i, $2::timestamptz + i * interval '10 minutes' FROM generate_series(1, $3::int) i`,
      [house.tenantId, FIRST, rows],
    ),
  );

beforeEach(async () => {
  db = await createTestDatabase();
  house = await createHouse(db);
  source = await openDataSource(db.appUrl, { poolSize: 6, applicationName: 'test', entities: [] });
  uow = new UnitOfWork(source);
});
afterEach(async () => {
  await source.destroy();
  await db.drop();
});

describe('a backfill', () => {
  it('is noticed by no reader and no writer: no error, no row missing, none doubled', async () => {
    await asOwner(HISTORY);
    await fill();
    let over = false;
    const faults: unknown[] = [];
    const wanted = { n: ROWS, ids: ROWS, sum: (ROWS * (ROWS + 1)) / 2 };
    let reads = 0;
    const reader = async (): Promise<void> => {
      while (!over) {
        const [row] = await uow.run(house, 'test.read', (tx) => tx.query(READ, []));
        reads += 1;
        if (JSON.stringify(row) !== JSON.stringify(wanted)) faults.push(row);
      }
    };
    const expected = new Set<number>();
    let serial = 0;
    const writer = async (): Promise<void> => {
      while (!over) {
        const id = -(serial += 1);
        const at = new Date(Date.parse(FIRST) + (serial % 200) * 86_400_000);
        const victim = 1 + Math.floor(Math.random() * ROWS);
        await uow.run(house, 'test.add', (tx) => tx.query(ADD, [house.tenantId, id, at]));
        await uow.run(house, 'test.change', (tx) => tx.query(CHANGE, [victim]));
        await uow.run(house, 'test.move', (tx) => tx.query(MOVE, [id]));
        if (serial % 3 === 0) await uow.run(house, 'test.remove', (tx) => tx.query(REMOVE, [id]));
        else expected.add(id);
      }
    };
    const load = [reader(), reader(), writer(), writer(), writer()].map((work) =>
      work.catch((error: unknown) => faults.push(error)),
    );
    const steps = new Set<string>();
    const done = await backfill(({ step }) => steps.add(step), 500).finally(() => (over = true));
    const before = reads;
    await Promise.all(load);
    expect(faults).toEqual([]);
    expect(before).toBeGreaterThan(10);
    expect([...steps]).toEqual(expect.arrayContaining(['preparing', 'copying', 'verifying', 'swapping']));
    const left = await asSuper<{ id: number }>(`SELECT id FROM history WHERE id < 0`);
    expect(new Set(left.map(({ id }) => id))).toEqual(expected);
    expect(left.length).toBe(expected.size);
    const [kind] = await asSuper(`SELECT relkind FROM pg_class WHERE relname = 'history'`);
    expect(kind).toEqual({ relkind: 'p' });
    expect(done).toMatchObject({ table: 'history', retired: 'history_unpartitioned' });
  });

  it('brings along columns, defaults, checks, keys, indexes, policies, grants, triggers and storage', async () => {
    await asOwner(HISTORY);
    await fill(100);
    const facts = () =>
      asSuper<{ fact: string }>(`
        SELECT concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, attgenerated) AS fact
          FROM pg_attribute WHERE attrelid = 'history'::regclass AND attnum > 0
        UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'history'::regclass
        UNION ALL SELECT replace(pg_get_indexdef(indexrelid), ' ONLY ', ' ') FROM pg_index WHERE indrelid = 'history'::regclass
        UNION ALL SELECT concat_ws(' ', policyname, roles, cmd, qual, with_check) FROM pg_policies WHERE tablename = 'history' AND policyname <> 'maintenance'
        UNION ALL SELECT concat_ws(' ', a.grantee::regrole, a.privilege_type) FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = 'history'::regclass
        UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'history'::regclass AND NOT tgisinternal
        UNION ALL SELECT concat_ws(' ', relrowsecurity, relforcerowsecurity) FROM pg_class WHERE oid = 'history'::regclass
        ORDER BY 1`);
    const before = await facts();
    await backfill();
    expect(await facts()).toEqual(before);
    const [months] = await asSuper(`
      SELECT count(*)::int AS n, bool_and(relrowsecurity AND relforcerowsecurity) AS walled, bool_and('fillfactor=80' = ANY (reloptions)) AS stored,
             bool_or(has_table_privilege('tartware_app', oid, 'SELECT')) AS open,
             bool_and(EXISTS (SELECT FROM pg_trigger WHERE tgrelid = pg_class.oid AND tgname = 'history_no_truncate')) AS guarded
        FROM pg_class JOIN pg_inherits ON inhrelid = oid WHERE inhparent = 'history'::regclass`);
    expect(months).toMatchObject({ walled: true, stored: true, open: false, guarded: true });
    const refused = { code: '42501' };
    await expect(asSuper(`UPDATE history SET note = 'refused' WHERE id = 1`)).rejects.toMatchObject(refused);
    await expect(asSuper(`TRUNCATE history`)).rejects.toMatchObject(refused);
    const [old] = await asSuper(
      `SELECT has_table_privilege('tartware_app', 'history_unpartitioned', 'SELECT, INSERT, UPDATE, DELETE') AS any`,
    );
    expect(old).toEqual({ any: false });
  });

  it('leaves no ghost of a row that is deleted in a transaction as old as its copy', async () => {
    await asOwner(HISTORY);
    await fill();
    await withClient(db.superUrl, async (writer) => {
      const deletions: Promise<unknown>[] = [];
      const steps = new Set<string>();
      const done = backfill(({ step }) => {
        steps.add(step);
        if (step === 'copying' && deletions.length === 0)
          deletions.push(writer.query(`BEGIN; DELETE FROM history WHERE id = ${ROWS}`));
      }, 200);
      let ended = false;
      const end = done.finally(() => (ended = true));
      end.catch(() => undefined);
      // Until the copy waits for the row, or has gone past it.
      const waits = `SELECT 1 FROM pg_stat_activity WHERE application_name = 'tartware-maintenance' AND wait_event_type = 'Lock'`;
      while ((await asSuper(waits)).length === 0 && !ended && !steps.has('waiting'));
      await Promise.all(deletions);
      await writer.query('COMMIT');
      await end;
    });
    expect(await asSuper(`SELECT count(*)::int AS n, max(id) AS last FROM history`)).toEqual([
      { n: ROWS - 1, last: ROWS - 1 },
    ]);
  });

  it('waits with the swap for a snapshot that would miss what was copied after it', async () => {
    await asOwner(HISTORY);
    await fill(1_000);
    await withClient(db.superUrl, async (reader) => {
      await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
      await reader.query('SELECT 1');
      let ended: Promise<unknown> = Promise.resolve();
      const seen = new Promise<unknown>((resolve, reject) => {
        const look = async (): Promise<unknown> => {
          const { rows } = await reader.query(`SELECT count(*)::int AS n FROM history`);
          await reader.query('COMMIT');
          return rows[0];
        };
        let looked = false;
        ended = backfill(({ step }) => {
          if (looked || step !== 'waiting') return;
          looked = true;
          look().then(resolve, reject);
        });
        ended.then(() => resolve('swapped under it'), reject);
      });
      expect(await seen).toEqual({ n: 1_000 });
      await ended;
    });
  });

  it('goes on where it was after kill -9, with what was written meanwhile, and is then looked after', async () => {
    await asOwner(HISTORY);
    await fill();
    const child = startChild('backfill', [db.ownerUrl, 'history', 'at', '200']);
    let progress: BackfillProgress;
    do progress = await child.line<BackfillProgress>();
    while (progress.step !== 'copying' || progress.rows < 2_000);
    await child.end('SIGKILL');
    const [state] = await asOwner<{ n: number }>(`SELECT next_block AS n FROM partition_backfills`);
    expect(state!.n).toBeGreaterThan(0);
    const [parts] = await asSuper<{ a: number; b: number }>(
      `SELECT (SELECT count(*) FROM history)::int AS a, (SELECT count(*) FROM history_partitioned)::int AS b`,
    );
    expect(parts!.b).toBeLessThan(parts!.a);
    // Rows that are copied and rows that are not, while nobody copies.
    for (const id of [1, 2, ROWS - 1, ROWS])
      await uow.run(house, 'test.change', (tx) => tx.query(CHANGE, [id]));
    for (const id of [3, ROWS - 2]) await uow.run(house, 'test.remove', (tx) => tx.query(REMOVE, [id]));
    const blocks: number[] = [];
    await backfill(({ step, doneBlocks }) => void (step === 'copying' && blocks.push(doneBlocks)), 200);
    expect(blocks[0]).toBeGreaterThan(state!.n);
    const [end] = await asSuper(
      `SELECT count(*)::int AS n, count(*) FILTER (WHERE note = 'new.')::int AS changed FROM history`,
    );
    expect(end).toEqual({ n: ROWS - 2, changed: 4 });
    const worker = await openDataSource(db.workerUrl, { poolSize: 1, applicationName: 't', entities: [] });
    const store = new PartitionStore(new BackgroundWork(worker));
    const ahead = await store.missing(4);
    expect(ahead.filter(({ table }) => table === 'history')).toHaveLength(2);
    for (const { table, month } of ahead) await store.make(table, month);
    expect(await store.missing(4)).toEqual([]);
    await worker.destroy();
  });

  it.each([
    ['a table that is not there', `SELECT 1`, /does not exist/],
    ['an unknown column', `CREATE TABLE history (id int, PRIMARY KEY (id))`, /has no column at/],
    ['a column that is no time', `CREATE TABLE history (at date PRIMARY KEY)`, /has at as date/],
    ['a table without a key', `CREATE TABLE history (at timestamptz NOT NULL)`, /has no primary key/],
    [
      'a key without the column',
      `CREATE TABLE history (id int PRIMARY KEY, at timestamptz)`,
      /is unique by history_pkey/,
    ],
    [
      'a table with foreign keys to it',
      `CREATE TABLE history (at timestamptz PRIMARY KEY); CREATE TABLE child (at timestamptz REFERENCES history)`,
      /referenced by foreign keys of child/,
    ],
    [
      'a table that a view reads',
      `CREATE TABLE history (at timestamptz PRIMARY KEY); CREATE VIEW seen AS SELECT * FROM history`,
      /used by .*view seen/,
    ],
    [
      'a table with a sequence of its own',
      `CREATE TABLE history (at timestamptz, id bigint GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (at, id))`,
      /sequence/,
    ],
    [
      'a partitioned table',
      `CREATE TABLE history (at timestamptz PRIMARY KEY) PARTITION BY RANGE (at)`,
      /partitioned already/,
    ],
    [
      'a restrictive policy',
      `CREATE TABLE history (at timestamptz PRIMARY KEY); CREATE POLICY p ON history AS RESTRICTIVE USING (false)`,
      /restrictive policy/,
    ],
    [
      'rows of centuries ago',
      `CREATE TABLE history (at timestamptz PRIMARY KEY); INSERT INTO history VALUES ('1582-10-04')`,
      /put them right/,
    ],
  ])('refuses %s, and leaves no trace', async (_, setup, why) => {
    await asOwner(setup);
    const snapshot = () =>
      asSuper(`SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION ALL SELECT polname, 'p' FROM pg_policy UNION ALL SELECT tgname, 't' FROM pg_trigger WHERE NOT tgisinternal UNION ALL SELECT proname, 'f' FROM pg_proc WHERE pronamespace = 'app'::regnamespace ORDER BY 1, 2`);
    const before = await snapshot();
    await expect(backfill()).rejects.toThrow(why);
    expect(await snapshot()).toEqual(before);
  });

  it('quotes every name: a table called by a statement is moved, and nothing else happens', async () => {
    const name = `x"; DROP TABLE guests; --`;
    await withOwnerSession(db.ownerUrl, async (session) => {
      await session.query(`CREATE TABLE "x""; DROP TABLE guests; --" ("a""t" timestamptz PRIMARY KEY)`);
      await session.query(`INSERT INTO "x""; DROP TABLE guests; --" VALUES (now())`);
      await new Backfill(session, { table: name, column: 'a"t', batch: 100 }).run();
      expect(await session.query(`SELECT count(*)::int AS n FROM "x""; DROP TABLE guests; --"`)).toEqual([
        { n: 1 },
      ]);
      expect(await session.query(`SELECT to_regclass('guests') IS NOT NULL AS there`)).toEqual([
        { there: true },
      ]);
    });
  });
});
