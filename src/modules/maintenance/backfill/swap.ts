import { ident, literal, type OwnerSession } from '../../../platform/database/owner-session.js';
import { dropMirror, optionsList, retiredOf, twinOf, MIRROR, MIRROR_TRUNCATE } from './twin.js';
import { NotPartitionableError, type TableShape } from './table-shape.js';

/** Columns as the twin must have them, one line each. */
const COLUMNS = `
  SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, attgenerated,
           pg_get_expr(d.adbin, d.adrelid)), E'\\n' ORDER BY attnum) AS columns
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
   WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped`;

/** Indexes and constraints, by what they are and not by what they are called. */
const CONSTRAINTS = `
  SELECT coalesce(string_agg(pg_get_constraintdef(oid), E'\\n' ORDER BY pg_get_constraintdef(oid)), '') AS constraints
    FROM pg_constraint WHERE conrelid = $1::regclass AND contype <> 't'`;
const INDEXES = `
  SELECT c.relname::text AS name, i.indisunique::text || substring(pg_get_indexdef(i.indexrelid) FROM ' USING .*') AS what
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1::regclass ORDER BY 2, c.oid`;
const TRIGGERS = `
  SELECT pg_get_triggerdef(oid) AS definition, tgname::text AS name, tgtype & 32 <> 0 AND tgtype & 1 = 0 AS truncate
    FROM pg_trigger WHERE tgrelid = $1::regclass AND NOT tgisinternal AND tgname NOT IN ('${MIRROR}', '${MIRROR_TRUNCATE}')
   ORDER BY tgname`;
const POLICIES = `
  SELECT policyname::text AS name, permissive, cmd, qual, with_check AS check,
         ARRAY(SELECT CASE r WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(r) END FROM unnest(roles) r) AS roles
    FROM pg_policies WHERE schemaname = 'public' AND tablename = $1 ORDER BY policyname`;
const GRANTS = `
  SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee,
         a.privilege_type AS privilege, a.is_grantable AS grantable
    FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a WHERE c.oid = $1::regclass AND a.grantee <> c.relowner`;
const SECURITY = `SELECT relrowsecurity AS enabled, relforcerowsecurity AS forced FROM pg_class WHERE oid = $1::regclass`;
const CHILDREN = `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = $1::regclass`;

interface Index {
  readonly name: string;
  readonly what: string;
}

/**
 * Puts the twin in the table's place: one transaction, whose lock on the table lasts for a few changes of the catalogue.
 * Who waits for it meanwhile finds the new table under the old name. The old table stays, as `<table>_unpartitioned`,
 * without privileges and foreign keys, until somebody drops it.
 * @throws NotPartitionableError when the table was changed since the twin was made
 */
export async function swap(session: OwnerSession, shape: TableShape): Promise<void> {
  const { name, column } = shape;
  const [table, twin, retired] = [ident(name), ident(twinOf(name)), ident(retiredOf(name))];
  await session.query(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
  await mustBeAlike(session, shape);
  const indexes = await session.query<Index>(INDEXES, [table]);
  const twins = await session.query<Index>(INDEXES, [twin]);
  const triggers = await session.query<{ name: string; definition: string; truncate: boolean }>(TRIGGERS, [
    table,
  ]);
  await dropMirror(session, shape);
  await session.query(`ALTER TABLE ${table} RENAME TO ${retired}`);
  for (const index of indexes)
    await session.query(`ALTER INDEX ${ident(index.name)} RENAME TO ${ident(oldName(index.name))}`);
  await session.query(`ALTER TABLE ${twin} RENAME TO ${table}`);
  for (const [i, index] of indexes.entries())
    await session.query(`ALTER INDEX ${ident(twins[i]!.name)} RENAME TO ${ident(index.name)}`);
  await wall(session, name);
  await hangTriggers(session, name, triggers);
  await retire(session, name);
  await session.query(
    `INSERT INTO partitioned_tables (name, column_name, holds_events, needs_export, options) VALUES ($1, $2, false, true, $3)`,
    [name, column, optionsList(shape)],
  );
  await session.query(`UPDATE partition_backfills SET swapped_at = clock_timestamp() WHERE table_name = $1`, [
    name,
  ]);
}

const oldName = (index: string): string => `${index.slice(0, 59)}_old`;

/** @throws NotPartitionableError unless the twin has the columns, constraints and indexes of the table */
export async function mustBeAlike(session: OwnerSession, { name }: TableShape): Promise<void> {
  for (const [what, text] of [
    ['columns', COLUMNS],
    ['constraints', CONSTRAINTS],
  ] as const) {
    const [mine] = await session.query(text, [ident(name)]);
    const [theirs] = await session.query(text, [ident(twinOf(name))]);
    if (JSON.stringify(mine) !== JSON.stringify(theirs)) throw changed(name, what);
  }
  const [mine, theirs] = await Promise.all(
    [name, twinOf(name)].map((table) => session.query<Index>(INDEXES, [ident(table)])),
  );
  if (mine!.map(({ what }) => what).join('\n') !== theirs!.map(({ what }) => what).join('\n'))
    throw changed(name, 'indexes');
}

const changed = (name: string, what: string): Error =>
  new NotPartitionableError(
    `${name} got other ${what} while it was copied: drop ${twinOf(name)} and begin again`,
  );

/** Row-level security, policies and grants of the old table, on the new one and, as far as they need it, on its months. */
async function wall(session: OwnerSession, name: string): Promise<void> {
  const [table, retired] = [ident(name), ident(retiredOf(name))];
  const [security] = await session.query<{ enabled: boolean; forced: boolean }>(SECURITY, [retired]);
  const months = (await session.query<{ name: string }>(CHILDREN, [table])).map((child) => child.name);
  for (const each of [table, ...months]) {
    // A month has no grants; forced, because whoever is given one by mistake still sees nothing.
    if (security!.enabled || each !== table)
      await session.query(`ALTER TABLE ${each} ENABLE ROW LEVEL SECURITY`);
    if (security!.forced || each !== table)
      await session.query(`ALTER TABLE ${each} FORCE ROW LEVEL SECURITY`);
  }
  const policies = await session.query<{
    name: string;
    permissive: string;
    cmd: string;
    qual: string | null;
    check: string | null;
    roles: string[];
  }>(POLICIES, [retiredOf(name)]);
  for (const policy of policies)
    await session.query(
      `CREATE POLICY ${ident(policy.name)} ON ${table} AS ${policy.permissive} FOR ${policy.cmd} TO ${policy.roles.join(', ')}` +
        (policy.qual === null ? '' : ` USING (${policy.qual})`) +
        (policy.check === null ? '' : ` WITH CHECK (${policy.check})`),
    );
  const fallback = ident(`${name}_default`);
  await session.query(
    `CREATE POLICY maintenance ON ${fallback} TO CURRENT_USER
       USING ((SELECT current_setting('app.maintenance', true)) = 'on')`,
  );
  const grants = await session.query<{ grantee: string; privilege: string; grantable: boolean }>(GRANTS, [
    retired,
  ]);
  for (const { grantee, privilege, grantable } of grants) {
    await session.query(
      `GRANT ${privilege} ON ${table} TO ${grantee}${grantable ? ' WITH GRANT OPTION' : ''}`,
    );
    await session.query(`REVOKE ALL ON ${retired} FROM ${grantee} CASCADE`);
  }
}

/** By their own words, which name the table by the name that is now the new one's. */
async function hangTriggers(
  session: OwnerSession,
  name: string,
  triggers: readonly { name: string; definition: string; truncate: boolean }[],
): Promise<void> {
  const months = await session.query<{ name: string }>(CHILDREN, [ident(name)]);
  for (const trigger of triggers) {
    await session.query(trigger.definition);
    if (!trigger.truncate) continue;
    // Row triggers reach the months by themselves, those on TRUNCATE don't.
    const [row] = await session.query<{ calls: string }>(
      `SELECT tgfoid::regproc::text AS calls FROM pg_trigger WHERE tgrelid = $1::regclass AND tgname = $2`,
      [ident(name), trigger.name],
    );
    for (const month of months)
      await session.query(
        `CREATE TRIGGER ${ident(trigger.name)} BEFORE TRUNCATE ON ${month.name} EXECUTE FUNCTION ${row!.calls}()`,
      );
  }
}

/** The old table takes part in nothing any more. */
async function retire(session: OwnerSession, name: string): Promise<void> {
  const keys = await session.query<{ name: string }>(
    `SELECT conname::text AS name FROM pg_constraint WHERE conrelid = $1::regclass AND contype = 'f'`,
    [ident(retiredOf(name))],
  );
  for (const key of keys)
    await session.query(`ALTER TABLE ${ident(retiredOf(name))} DROP CONSTRAINT ${ident(key.name)}`);
  await session.query(
    `COMMENT ON TABLE ${ident(retiredOf(name))} IS ${literal(`${name} as it was before it was partitioned; nothing uses it`)}`,
  );
}
