import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ReservationDesk } from '../../src/modules/reservations/contract/reservation-desk.js';
import { sql } from '../../src/platform/database/sql.js';
import { newId, PLATFORM_TENANT_ID } from '../../src/platform/kernel/ids.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import {
  clerkOf,
  createHouse,
  creationIn,
  jobOf,
  openUow,
  refusalBy,
  rolledBack,
  withClient,
  type OpenUow,
  type TestHouse,
} from '../support/fixtures.js';

/**
 * Rows for the tables that neither `createHouse` nor a booking through the desk fills. A new table with a tenant_id needs
 * an entry here, or the first test of this file fails.
 */
const FILL: Readonly<Record<string, string>> = {
  imports: `INSERT INTO imports (tenant_id, import_id, property_id, kind, file_sha256)
    SELECT tenant_id, $2, property_id, 'hotel-bookings', repeat('0', 64) FROM properties WHERE tenant_id = $1`,
  import_ledger: `INSERT INTO import_ledger (tenant_id, import_id, row_number, outcome, code)
    SELECT tenant_id, import_id, 1, 'REFUSED', 'PARTY_EMPTY' FROM imports WHERE tenant_id = $1 AND $2::uuid IS NOT NULL`,
  outbox_blocked_keys: `INSERT INTO outbox_blocked_keys (tenant_id, aggregate_id, key_seq, status, attempts, cause)
    VALUES ($1, $2, 1, 'DLQ', 3, 'refused')`,
  event_receipts: `INSERT INTO event_receipts (tenant_id, aggregate_id, key_seq, occurred_at, partition, log_offset)
    VALUES ($1, $2, 1, now(), 0, 0)`,
  event_inbox: `INSERT INTO event_inbox (tenant_id, aggregate_id, key_seq, occurred_at, event_id, consumed_at)
    VALUES ($1, $2, 1, now(), $2, now())`,
  event_key_marks: `INSERT INTO event_key_marks (tenant_id, aggregate_id, applied_seq) VALUES ($1, $2, 1)`,
  dead_letters: `INSERT INTO dead_letters (tenant_id, dead_letter_id, consumer_group, topic, partition, log_offset, event_id,
      status, record_headers, retry_count, attempted_at, failure_code, failure_cause)
    VALUES ($1, $2, 'g', 't', 0, 0, $2, 'DEAD', '{}', 3, now(), 'X', 'x')`,
  lifecycle_stalls: `INSERT INTO lifecycle_stalls (tenant_id, aggregate_id, key_seq, occurred_at, state, since)
    VALUES ($1, $2, 1, now(), 'PERSISTED', now())`,
  lifecycle_resumptions: `INSERT INTO lifecycle_resumptions (tenant_id, resumption_id, subject_type, subject_id, reason, actor,
      source, correlation_id)
    VALUES ($1, $2, 'request', $2, 'why', 'tester', 'http', $2)`,
  occupancy_nights: `INSERT INTO occupancy_nights (tenant_id, property_id, night) VALUES ($1, $2, '2027-03-01')`,
  property_versions: `INSERT INTO property_versions (tenant_id, property_id, lane) VALUES ($1, $2, 0)`,
};

/** Tables whose rows the background role sees of all tenants, and what of them it sees; its loops need no more. */
const ACROSS_TENANTS = [
  'dead_letters',
  'event_inbox',
  'event_key_marks',
  'event_receipts',
  'idempotency_keys',
  'lifecycle_resumptions',
  'lifecycle_stalls',
  'occupancy_nights',
  'outbox_blocked_keys',
  'outbox_events',
  'outbox_queue',
  'property_versions',
  'reservations: HELD',
];

/** Unique keys that don't lead with the tenant, each for its reason. */
const KEYS_WITHOUT_TENANT = [
  // A record of the log is dead once, whoever it is of.
  'dead_letters (consumer_group, topic, partition, log_offset, event_id)',
  // Worked slot by slot, across tenants.
  'outbox_queue (slot, priority, tenant_id, queue_id)',
  // An operator names tenants by their codes.
  'tenants (code)',
];

let database: TestDatabase;
let api: OpenUow;
let superuser: pg.Client;
let app: pg.Client;
let worker: pg.Client;
let owner: pg.Client;
let mine: TestHouse;
let theirs: TestHouse;

// Known before the tests are: jest makes one test a table.
const tables = await (async (): Promise<string[]> => {
  database = await createTestDatabase();
  return withClient(database.superUrl, async (client) => {
    const { rows } = await client.query(`
      SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
       WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
         AND a.attname = 'tenant_id' AND NOT a.attisdropped ORDER BY 1`);
    return rows.map(({ name }) => name);
  });
})();

async function open(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client;
}

beforeAll(async () => {
  api = await openUow(database.appUrl, 1);
  [superuser, app, worker, owner] = (await Promise.all(
    [database.superUrl, database.appUrl, database.workerUrl, database.ownerUrl].map(open),
  )) as [pg.Client, pg.Client, pg.Client, pg.Client];
  const desk = new ReservationDesk(api.uow);
  for (const house of [(mine = await createHouse(database)), (theirs = await createHouse(database))]) {
    const ctx = clerkOf(house);
    await desk.submit(jobOf(ctx, creationIn(house), 'k1'));
    await desk.submit(jobOf(ctx, creationIn(house, { holdSeconds: 600 }), 'k2'));
    for (const text of Object.values(FILL)) await superuser.query(text, [house.tenantId, newId()]);
  }
});

afterAll(async () => {
  for (const client of [superuser, app, worker, owner]) await client.end();
  await api.close();
  await database.drop();
});

const count = async (
  client: pg.Client,
  table: string,
  where = 'true',
  values: unknown[] = [],
): Promise<number> =>
  (await client.query(`SELECT count(*) AS n FROM ${table} WHERE ${where}`, values)).rows[0].n;
const ofTenant = (client: pg.Client, table: string, tenantId: string): Promise<number> =>
  count(client, table, 'tenant_id = $1', [tenantId]);

/** An INSERT of a row that a tenant has already: row-level security is asked before any key is. */
async function copyOfRow(table: string, tenantId: string): Promise<{ text: string; values: unknown[] }> {
  const { rows } = await superuser.query(
    `SELECT to_jsonb(t) AS row FROM ${table} t WHERE tenant_id = $1 LIMIT 1`,
    [tenantId],
  );
  const { rows: columns } = await superuser.query(
    `SELECT string_agg(quote_ident(attname), ', ') AS names FROM pg_attribute
      WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`,
    [table],
  );
  const { names } = columns[0];
  return {
    text: `INSERT INTO ${table} (${names}) OVERRIDING SYSTEM VALUE SELECT ${names} FROM jsonb_populate_record(NULL::${table}, $1)`,
    values: [rows[0].row],
  };
}

/**
 * The application's role with every privilege on the table, as after a careless GRANT: what is left is the policy alone.
 * Rolled back.
 */
async function withEveryPrivilege<T>(
  table: string,
  tenantId: string | null,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  return rolledBack(superuser, tenantId, async () => {
    await superuser.query(`GRANT ALL ON ${table} TO tartware_app`);
    await superuser.query(`SET LOCAL ROLE tartware_app`);
    return work(superuser);
  });
}

describe('the catalogue', () => {
  it('has the tables that this file fills for both tenants, so that no new one is forgotten', async () => {
    for (const table of tables)
      for (const { tenantId } of [mine, theirs])
        expect([table, await ofTenant(superuser, table, tenantId)]).not.toEqual([table, 0]);
    expect(tables).toEqual(expect.arrayContaining(Object.keys(FILL)));
    expect(tables.length).toBeGreaterThanOrEqual(20);
  });

  it('has no other table that could hold a tenant’s data, but for what belongs to all', async () => {
    const { rows } = await superuser.query(
      `SELECT relname AS name FROM pg_class WHERE relkind IN ('r', 'p', 'm', 'f') AND NOT relispartition
        AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'pg_toast'::regnamespace)
        AND NOT relname = ANY($1) ORDER BY 1`,
      [tables],
    );
    expect(rows.map(({ name }) => name)).toEqual([
      'event_log_partitions',
      'event_log_records',
      'event_log_topics',
      'lifecycle_cursors',
      'outbox_relays',
      'outbox_slots',
      'partition_backfills',
      'partition_ledger',
      'partitioned_tables',
      'reliability_figures',
      'reservation_event_offsets',
      'reservation_moves',
      'schema_migrations',
    ]);
  });

  it('has no view that reads with its owner’s rights, which row-level security does not bind', async () => {
    const { rows } = await superuser.query(
      `SELECT relname AS name, 'security_invoker=true' = ANY(reloptions) AS invoker FROM pg_class
        WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace ORDER BY 1`,
    );
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.filter(({ invoker }) => !invoker)).toEqual([]);
  });

  it('enables and forces row-level security on every tenant table and every partition of one', async () => {
    const { rows } = await superuser.query(
      `SELECT c.relname AS name FROM pg_class c
        WHERE c.relkind IN ('r', 'p') AND (c.relname = ANY($1) OR c.relispartition)
          AND NOT (c.relrowsecurity AND c.relforcerowsecurity)`,
      [tables],
    );
    expect(rows).toEqual([]);
  });

  it('has a policy of the tenant for both roles on every tenant table: permissive ones that say nothing of it are the background role’s', async () => {
    const { rows } = await superuser.query(
      `SELECT tablename, roles::text[] AS roles, qual, with_check FROM pg_policies WHERE tablename = ANY($1)`,
      [tables],
    );
    const own = '(tenant_id = ( SELECT app.tenant_id() AS tenant_id))';
    for (const table of tables)
      expect(rows.filter((row) => row.tablename === table && row.qual === own)).toEqual([
        { tablename: table, roles: ['tartware_app', 'tartware_worker'], qual: own, with_check: own },
      ]);
    // The guard of the months looks across tenants as the owner, while a setting is on that its functions alone turn on.
    const guard = `(( SELECT current_setting('app.maintenance'::text, true) AS current_setting) = 'on'::text)`;
    const others = rows.filter(({ roles }) => roles[0] !== 'tartware_owner');
    expect(rows.filter((row) => !others.includes(row)).map(({ qual }) => qual)).toEqual(Array(8).fill(guard));
    const open = others.filter(
      (row) => !/app\.tenant_id\(\)/.test(row.qual) || !/app\.tenant_id\(\)/.test(row.with_check),
    );
    expect(open.map(({ roles }) => roles)).toEqual(open.map(() => ['tartware_worker']));
  });

  it('gives the application’s roles nothing to own, and no way around', async () => {
    const { rows: roles } = await superuser.query(`
      SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication,
             pg_has_role(rolname, 'tartware_owner', 'MEMBER') AS owner FROM pg_roles
       WHERE rolname IN ('tartware_app', 'tartware_worker') ORDER BY 1`);
    const nothing = {
      rolsuper: false,
      rolbypassrls: false,
      rolcreaterole: false,
      rolcreatedb: false,
      rolreplication: false,
      owner: false,
    };
    expect(roles).toEqual([
      { rolname: 'tartware_app', ...nothing },
      { rolname: 'tartware_worker', ...nothing },
    ]);
    const { rows: owned } = await superuser.query(`
      SELECT relname AS name FROM pg_class WHERE pg_get_userbyid(relowner) LIKE 'tartware_%' AND pg_get_userbyid(relowner) <> 'tartware_owner'
      UNION ALL SELECT proname FROM pg_proc WHERE pg_get_userbyid(proowner) LIKE 'tartware_%' AND pg_get_userbyid(proowner) <> 'tartware_owner'
      UNION ALL SELECT nspname FROM pg_namespace WHERE pg_get_userbyid(nspowner) LIKE 'tartware_%' AND pg_get_userbyid(nspowner) <> 'tartware_owner'`);
    expect(owned).toEqual([]);
    for (const client of [app, worker])
      for (const text of [
        'CREATE TABLE public.mine ()',
        'CREATE TABLE app.mine ()',
        'CREATE SCHEMA mine',
        'SET ROLE tartware_owner',
        'SET row_security = off; SELECT * FROM guests',
      ])
        expect(await rolledBack(client, null, () => refusalBy(client, text))).toMatchObject({
          code: '42501',
        });
  });

  it('runs the functions that look after months with their owner’s rights, and the application may call none', async () => {
    const { rows } = await superuser.query(`
      SELECT proname AS name, has_function_privilege('tartware_app', oid, 'EXECUTE') AS app FROM pg_proc
       WHERE prosecdef AND pronamespace IN ('app'::regnamespace, 'public'::regnamespace) ORDER BY 1`);
    expect(rows).toEqual(
      [
        'check_partition',
        'detach_partition',
        'drop_partition',
        'make_partition',
        'missing_partitions',
        'partition_holds',
        'partition_status',
        'record_partition_export',
        'refuse_held',
      ].map((name) => ({ name, app: false })),
    );
  });

  it('leads every unique key of a tenant table with tenant_id, but for three', async () => {
    const { rows } = await superuser.query(
      `SELECT c.relname || ' (' || string_agg(a.attname, ', ' ORDER BY k.n) || ')' AS key
         FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
         CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, n)
         LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
        WHERE (i.indisunique OR i.indisexclusion) AND c.relname = ANY($1)
        GROUP BY c.relname, i.indexrelid HAVING (array_agg(a.attname ORDER BY k.n))[1] IS DISTINCT FROM 'tenant_id'
        ORDER BY 1`,
      [tables],
    );
    expect(rows.map(({ key }) => key)).toEqual(KEYS_WITHOUT_TENANT);
  });

  it('leads every foreign key of a tenant table with tenant_id, on both sides', async () => {
    const { rows } = await superuser.query(
      `SELECT k.conrelid::regclass::text AS "table", k.conname FROM pg_constraint k
         JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
         JOIN pg_attribute f ON f.attrelid = k.confrelid AND f.attnum = k.confkey[1]
        WHERE k.contype = 'f' AND (k.conrelid::regclass::text = ANY($1) OR k.confrelid::regclass::text = ANY($1))
          AND NOT (a.attname = 'tenant_id' AND f.attname = 'tenant_id')`,
      [tables],
    );
    expect(rows).toEqual([]);
    const { rows: all } = await superuser.query(
      `SELECT count(*) AS n FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text = ANY($1)`,
      [tables],
    );
    expect(all[0].n).toBeGreaterThanOrEqual(13);
  });

  it('lets nobody at a partition directly, nor around security by a view', async () => {
    const { rows } = await superuser.query(`
      SELECT c.relname AS name FROM pg_class c, unnest(ARRAY['tartware_app', 'tartware_worker']) AS role
       WHERE c.relispartition AND c.relkind = 'r'
         AND has_table_privilege(role, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')`);
    expect(rows).toEqual([]);
    for (const parent of ['outbox_events', 'event_receipts', 'event_inbox', 'audit_log'])
      for (const client of [app, worker])
        expect(
          await rolledBack(client, mine.tenantId, () => refusalBy(client, `SELECT FROM ${parent}_default`)),
        ).toMatchObject({ code: '42501' });
    const { rows: views } = await superuser.query(`
      SELECT relname FROM pg_class WHERE relkind IN ('v', 'm') AND relnamespace IN ('public'::regnamespace, 'app'::regnamespace)
         AND NOT (relkind = 'v' AND coalesce(reloptions @> ARRAY['security_invoker=true'], false))`);
    expect(views).toEqual([]);
  });
});

describe.each(tables)('%s, to the application', (table) => {
  it('is empty without a tenant, and takes no row', async () => {
    await rolledBack(app, null, async () => {
      expect(await count(app, table)).toBe(0);
    });
    await rolledBack(app, '', async () => {
      expect(await count(app, table)).toBe(0);
    });
    const { text, values } = await copyOfRow(table, mine.tenantId);
    expect(await rolledBack(app, null, () => refusalBy(app, text, values))).toMatchObject({ code: '42501' });
  });

  it('shows the tenant’s own rows, all of them, and no other’s', async () => {
    const all = await ofTenant(superuser, table, mine.tenantId);
    await rolledBack(app, mine.tenantId, async () => {
      expect(await count(app, table)).toBe(all);
      expect(await ofTenant(app, table, theirs.tenantId)).toBe(0);
    });
  });

  it('stays so for a role that was granted everything: no other’s row can be read, changed or deleted', async () => {
    await withEveryPrivilege(table, mine.tenantId, async (client) => {
      expect(await ofTenant(client, table, theirs.tenantId)).toBe(0);
      for (const text of [`UPDATE ${table} SET tenant_id = tenant_id`, `DELETE FROM ${table}`])
        expect((await client.query(`${text} WHERE tenant_id = $1`, [theirs.tenantId])).rowCount).toBe(0);
    });
  });

  it('takes no row of another tenant, neither as a new one nor by giving one’s own away', async () => {
    const { text, values } = await copyOfRow(table, theirs.tenantId);
    const versioned = (
      await superuser.query(
        `SELECT FROM pg_attribute WHERE attrelid = $1::regclass AND attname = 'version'`,
        [table],
      )
    ).rowCount;
    const giveAway = `UPDATE ${table} SET tenant_id = $2 ${versioned ? ', version = version + 1' : ''} WHERE tenant_id = $1`;
    await withEveryPrivilege(table, mine.tenantId, async (client) => {
      const inserted = await refusalBy(client, text, values);
      expect(inserted).toMatchObject({
        code: '42501',
        message: `new row violates row-level security policy for table "${table}"`,
      });
      const given = await refusalBy(client, giveAway, [mine.tenantId, theirs.tenantId]);
      expect(given).toMatchObject({
        code: '42501',
        message: expect.stringMatching(/row-level security|append-only/),
      });
    });
    expect(await rolledBack(app, mine.tenantId, () => refusalBy(app, text, values))).toMatchObject({
      code: '42501',
    });
  });

  it('is not the platform’s either, but for the list of tenants', async () => {
    await rolledBack(app, PLATFORM_TENANT_ID, async () => {
      expect(await count(app, table)).toBe(table === 'tenants' ? 2 : 0);
    });
  });
});

describe('the background role', () => {
  it('sees across tenants what its loops need, and of reservations the holds', async () => {
    const seen: string[] = [];
    for (const table of tables) {
      const rows = await rolledBack(worker, null, () => ofTenant(worker, table, theirs.tenantId));
      const all = await ofTenant(superuser, table, theirs.tenantId);
      if (rows === all) seen.push(table);
      else if (rows > 0) {
        const held = await rolledBack(worker, null, () => count(worker, table, `status <> 'HELD'`));
        seen.push(held === 0 ? `${table}: HELD` : `${table}: ${rows} of ${all}`);
      }
    }
    expect(seen).toEqual(ACROSS_TENANTS);
  });

  it('changes nothing of a hold across tenants', async () => {
    const { rowCount } = await rolledBack(worker, null, () =>
      worker.query(`UPDATE reservations SET version = version + 1, status = 'EXPIRED' WHERE status = 'HELD'`),
    );
    expect(rowCount).toBe(0);
  });

  it('is as confined as the application in a tenant’s scope, where its loops need nothing', async () => {
    const confined = tables.filter((table) => !ACROSS_TENANTS.some((name) => name.split(':')[0] === table));
    for (const table of confined)
      await rolledBack(worker, mine.tenantId, async () => {
        expect([table, await ofTenant(worker, table, theirs.tenantId)]).toEqual([table, 0]);
      });
    expect(confined).toContain('guests');
  });
});

describe.each(['audit_log', 'outbox_events'])('%s', (table) => {
  it.each([
    ['changed', `UPDATE ${table} SET actor = 'nobody'`],
    ['deleted', `DELETE FROM ${table}`],
  ])('can not be %s, whatever the role may: the trigger refuses', async (_, text) => {
    // The superuser stands for an owner who has given himself a policy: nothing but the trigger is in his way.
    const expected = { code: '42501', message: `${table} is append-only` };
    expect(await rolledBack(superuser, null, () => refusalBy(superuser, text))).toMatchObject({
      code: '42501',
      message: expect.stringContaining('is append-only'),
    });
    await rolledBack(owner, null, async () => {
      await owner.query(`CREATE POLICY everything ON ${table} USING (true) WITH CHECK (true)`);
      expect(await refusalBy(owner, text)).toMatchObject({
        code: '42501',
        message: expect.stringContaining('is append-only'),
      });
    });
    await withEveryPrivilege(table, mine.tenantId, async (client) => {
      const refusal = await refusalBy(client, text);
      expect(refusal?.code).toBe(expected.code);
      expect(refusal?.message).toMatch(/is append-only/);
    });
    // As things are, the owner does not even see a row, and the application lacks the privilege.
    expect((await rolledBack(owner, null, () => owner.query(text))).rowCount).toBe(0);
    expect(await rolledBack(app, mine.tenantId, () => refusalBy(app, text))).toMatchObject({
      code: '42501',
      message: expect.stringContaining('permission denied'),
    });
  });

  it('can not be emptied by the application', async () => {
    for (const client of [app, worker])
      expect(
        await rolledBack(client, mine.tenantId, () => refusalBy(client, `TRUNCATE ${table}`)),
      ).toMatchObject({ code: '42501' });
  });
});

describe('a pooled connection', () => {
  const SCOPE = sql(
    'test.scope',
    `SELECT pg_backend_pid() AS pid, current_setting('app.tenant_id', true) AS tenant, (SELECT count(*) FROM guests) AS guests`,
  );
  /** The same connection, the pool has but one, outside of any unit of work. */
  const after = async () => (await api.source.query(SCOPE.text))[0];

  it('is in the scope of its tenant within a unit of work, and of none after the commit', async () => {
    for (const { tenantId } of [mine, theirs]) {
      const [during] = await api.uow.run({ tenantId }, 'test.scope', (tx) =>
        tx.query<{ pid: number }>(SCOPE, []),
      );
      expect(during).toMatchObject({ tenant: tenantId, guests: 1 });
      expect(await after()).toEqual({ pid: during!.pid, tenant: '', guests: 0 });
    }
  });

  it('is in nobody’s scope after a unit of work that failed', async () => {
    let pid: unknown;
    const failing = api.uow.run(mine, 'test.scope', async (tx) => {
      pid = (await tx.query<{ pid: number }>(SCOPE, []))[0]!.pid;
      throw new Error('on purpose');
    });
    await expect(failing).rejects.toThrow('on purpose');
    expect(await after()).toEqual({ pid, tenant: '', guests: 0 });
  });
});
