import type { OwnerSession } from '../../../platform/database/owner-session.js';

/** A table that can't be moved into months, and why. Nothing was touched. */
export class NotPartitionableError extends Error {
  override readonly name = 'NotPartitionableError';
}

/** What the backfill needs to know of a table. */
export interface TableShape {
  readonly name: string;
  readonly column: string;
  readonly oid: number;
  readonly filenode: number;
  /** Of the primary key, in its order. */
  readonly key: readonly string[];
  /** That a row is written with: all but the generated ones, in order. */
  readonly columns: readonly string[];
  /** The planner's estimate. */
  readonly rows: number;
  readonly bytes: number;
  readonly blocks: number;
  readonly options: readonly string[];
}

/** Room for `_unpartitioned`, and for `_default` and a month. */
const LONGEST_NAME = 45;

const SHAPE = `
  SELECT c.oid::int8 AS oid, pg_relation_filenode(c.oid)::int8 AS filenode, c.relkind AS kind, c.relispartition AS partition,
    pg_get_userbyid(c.relowner) = current_user AS mine, greatest(c.reltuples, 0)::float8 AS rows,
    pg_total_relation_size(c.oid) AS bytes,
    pg_relation_size(c.oid) / current_setting('block_size')::int AS blocks,
    coalesce(c.reloptions, '{}') AS options,
    (SELECT format_type(atttypid, atttypmod) FROM pg_attribute
      WHERE attrelid = c.oid AND attname = $2 AND attnum > 0 AND NOT attisdropped) AS type,
    ARRAY(SELECT a.attname::text FROM pg_index i CROSS JOIN unnest(i.indkey::int[]) WITH ORDINALITY AS k(attnum, n)
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
           WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.n) AS key,
    ARRAY(SELECT attname::text FROM pg_attribute
           WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum) AS columns,
    ARRAY(SELECT i.indexrelid::regclass::text FROM pg_index i
           WHERE i.indrelid = c.oid AND i.indisunique AND NOT EXISTS (
             SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = $2 AND a.attnum = ANY (i.indkey::int[]))) AS narrow,
    ARRAY(SELECT conname::text FROM pg_constraint WHERE conrelid = c.oid AND contype = 'x') AS excludes,
    ARRAY(SELECT conrelid::regclass::text FROM pg_constraint WHERE confrelid = c.oid AND contype = 'f') AS referenced,
    EXISTS (SELECT FROM pg_inherits WHERE c.oid IN (inhrelid, inhparent)) AS inherits,
    EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attidentity <> '')
      OR EXISTS (SELECT FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
                  WHERE d.classid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.deptype = 'a') AS sequence,
    EXISTS (SELECT FROM pg_publication_rel WHERE prrelid = c.oid) AS published,
    EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attacl IS NOT NULL) AS "columnGrants",
    EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid AND NOT polpermissive) AS restricted,
    ARRAY(SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0) FROM pg_depend d
            LEFT JOIN pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
           WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
             AND (d.classid IN ('pg_rewrite'::regclass, 'pg_proc'::regclass) OR p.polrelid <> c.oid)) AS dependents
    FROM pg_class c WHERE c.oid = to_regclass(quote_ident('public') || '.' || quote_ident($1))`;

type Found = Omit<TableShape, 'name' | 'column'> & {
  readonly kind: string;
  readonly partition: boolean;
  readonly mine: boolean;
  readonly type: string | null;
  readonly narrow: readonly string[];
  readonly excludes: readonly string[];
  readonly referenced: readonly string[];
  readonly inherits: boolean;
  readonly sequence: boolean;
  readonly published: boolean;
  readonly columnGrants: boolean;
  readonly restricted: boolean;
  readonly dependents: readonly string[];
};

/** Why this table can't be swapped unnoticed with all that hangs on it; null when it can. */
function hindrance(table: string, column: string, found: Found): string | null {
  if (found.kind === 'p' || found.partition) return 'is partitioned already';
  if (found.kind !== 'r') return 'is no table';
  if (table.length > LONGEST_NAME) return `has a name of more than ${LONGEST_NAME} characters`;
  if (!found.mine) return 'belongs to somebody else';
  if (found.inherits) return 'inherits or is inherited from';
  if (found.type === null) return `has no column ${column}`;
  if (!found.type.startsWith('timestamp') || !found.type.endsWith('with time zone'))
    return `has ${column} as ${found.type}, and months need a timestamptz`;
  if (found.key.length === 0) return 'has no primary key, by which its rows could be told apart';
  if (found.narrow.length > 0)
    return `is unique by ${found.narrow.join(', ')}, which months can promise only together with ${column}`;
  if (found.excludes.length > 0)
    return `has the exclusion ${found.excludes.join(', ')}, which would hold within a month only`;
  if (found.referenced.length > 0) return `is referenced by foreign keys of ${found.referenced.join(', ')}`;
  if (found.sequence) return 'draws numbers from a sequence of its own';
  if (found.published) return 'is part of a publication';
  if (found.columnGrants) return 'has privileges on single columns';
  if (found.restricted) return 'has a restrictive policy, which may hide rows from the copy';
  if (found.dependents.length > 0)
    return `is used by ${found.dependents.join(', ')}, which would go on reading the old one`;
  return null;
}

/**
 * Looks at a table of the schema `public`.
 * @throws NotPartitionableError
 */
export async function shapeOf(session: OwnerSession, name: string, column: string): Promise<TableShape> {
  const [found] = await session.query<Found>(SHAPE, [name, column]);
  const why = found ? hindrance(name, column, found) : 'does not exist';
  if (!found || why) throw new NotPartitionableError(`${name} ${why}`);
  const { oid, filenode, key, columns, rows, bytes, blocks, options } = found;
  return { name, column, oid, filenode, key, columns, rows, bytes, blocks, options };
}
