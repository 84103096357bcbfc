import { ident, literal, type OwnerSession } from '../../../platform/database/owner-session.js';
import { NotPartitionableError, type TableShape } from './table-shape.js';

/** Names of what is made beside a table; the swap gives the twin the table's own. */
export const twinOf = (table: string): string => `${table}_partitioned`;
export const retiredOf = (table: string): string => `${table}_unpartitioned`;
const mirrorOf = (table: string): string => `app.${ident(`mirror_${table}`)}`;
export const MIRROR = 'partitions_mirror';
export const MIRROR_TRUNCATE = 'partitions_mirror_truncate';

/** More months than anybody has: a wrong time, not a history. */
const MOST_MONTHS = 600;

const list = (names: readonly string[], prefix = ''): string =>
  names.map((name) => prefix + ident(name)).join(', ');

/** The trigger function that does to the twin what was done to the table, in the same transaction. */
function mirrorFunction({ name, key, columns }: TableShape): string {
  const twin = ident(twinOf(name));
  const rest = columns.filter((column) => !key.includes(column));
  const update = rest.map((column) => `${ident(column)} = excluded.${ident(column)}`).join(', ');
  const same = key.map((column) => `${ident(column)} = OLD.${ident(column)}`).join(' AND ');
  return `
    CREATE FUNCTION ${mirrorOf(name)}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $mirror$
    BEGIN
      IF TG_OP = 'TRUNCATE' THEN TRUNCATE ${twin}; RETURN NULL; END IF;
      IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND (${list(key, 'OLD.')}) IS DISTINCT FROM (${list(key, 'NEW.')}) THEN
        DELETE FROM ${twin} WHERE ${same};
      END IF;
      IF TG_OP <> 'DELETE' THEN
        INSERT INTO ${twin} (${list(columns)}) VALUES (${list(columns, 'NEW.')})
          ON CONFLICT (${list(key)}) DO ${update ? `UPDATE SET ${update}` : 'NOTHING'};
      END IF;
      RETURN NULL;
    END $mirror$;
    REVOKE ALL ON FUNCTION ${mirrorOf(name)} FROM PUBLIC`;
}

/** Opens the table's rows to the owner, whom forced row-level security would show none of them. */
export async function openToOwner(session: OwnerSession, { name }: TableShape): Promise<void> {
  const [open] = await session.query(
    `SELECT 1 FROM pg_policy WHERE polrelid = $1::regclass AND polname = 'maintenance'
        AND current_user::regrole::oid = ANY (polroles)`,
    [ident(name)],
  );
  if (open) return;
  await session.query(
    `CREATE POLICY maintenance ON ${ident(name)} TO CURRENT_USER
       USING ((SELECT current_setting('app.maintenance', true)) = 'on')`,
  );
}

export const closeToOwner = (session: OwnerSession, { name }: TableShape): Promise<object[]> =>
  session.query(`DROP POLICY IF EXISTS maintenance ON ${ident(name)}`);

/**
 * Makes the partitioned twin: columns, defaults, checks, indexes, foreign keys, a month for each month of the rows and two
 * more, a default partition. Nobody may read or write it before the swap but the owner. Then the triggers that keep it up
 * with the table: their lock waits for every write that they would miss.
 */
export async function makeTwin(session: OwnerSession, shape: TableShape): Promise<void> {
  const { name, column } = shape;
  const [table, twin] = [ident(name), ident(twinOf(name))];
  await session.query(
    `CREATE TABLE ${twin} (LIKE ${table} INCLUDING ALL) PARTITION BY RANGE (${ident(column)})`,
  );
  await session.query(`REVOKE ALL ON ${twin} FROM PUBLIC`);
  await session.query(
    `CREATE TABLE ${ident(`${name}_default`)} PARTITION OF ${twin} DEFAULT${optionsOf(shape)}`,
  );
  for (const { month, from, to } of await monthsOf(session, shape))
    await session.query(
      `CREATE TABLE ${ident(`${name}_${month}`)} PARTITION OF ${twin}
         FOR VALUES FROM (${literal(from)}) TO (${literal(to)})${optionsOf(shape)}`,
    );
  const keys = await session.query<{ name: string; definition: string }>(
    `SELECT conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
      WHERE conrelid = $1::regclass AND contype = 'f'`,
    [table],
  );
  for (const key of keys)
    await session.query(`ALTER TABLE ${twin} ADD CONSTRAINT ${ident(key.name)} ${key.definition}`);
  await session.query(mirrorFunction(shape));
  await session.query(
    `CREATE TRIGGER ${MIRROR} AFTER INSERT OR UPDATE OR DELETE ON ${table}
       FOR EACH ROW EXECUTE FUNCTION ${mirrorOf(name)}()`,
  );
  await session.query(
    `CREATE TRIGGER ${MIRROR_TRUNCATE} AFTER TRUNCATE ON ${table} EXECUTE FUNCTION ${mirrorOf(name)}()`,
  );
}

/** The storage parameters of the table, for each of its months. */
export const optionsList = ({ options }: Pick<TableShape, 'options'>): string =>
  options
    .map((option) => {
      const [key, ...value] = option.split('=');
      return `${ident(key!)} = ${literal(value.join('='))}`;
    })
    .join(', ');
const optionsOf = (shape: TableShape): string =>
  shape.options.length > 0 ? ` WITH (${optionsList(shape)})` : '';

async function monthsOf(
  session: OwnerSession,
  { name, column }: TableShape,
): Promise<{ month: string; from: string; to: string }[]> {
  const months = await session.query<{ month: string; from: string; to: string }>(
    `SELECT to_char(m, 'YYYY_MM') AS month, m::text AS from, (m + interval '1 month')::text AS to
       FROM (SELECT min(${ident(column)}) AS first FROM ${ident(name)} WHERE isfinite(${ident(column)})) t
      CROSS JOIN generate_series(date_trunc('month', least(t.first, now())), date_trunc('month', now()) + interval '2 months',
        interval '1 month') m`,
  );
  if (months.length > MOST_MONTHS)
    throw new NotPartitionableError(
      `${name} has rows of ${months[0]!.from}, ${months.length} months ago: put them right, or take them out`,
    );
  return months;
}

/** Takes away the mirror. */
export async function dropMirror(session: OwnerSession, { name }: TableShape): Promise<void> {
  await session.query(`DROP TRIGGER ${MIRROR} ON ${ident(name)}`);
  await session.query(`DROP TRIGGER ${MIRROR_TRUNCATE} ON ${ident(name)}`);
  await session.query(`DROP FUNCTION ${mirrorOf(name)}`);
}
