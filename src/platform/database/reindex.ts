import { DataSource } from 'typeorm';

/** An index, how large it was before and is after, bytes. */
export interface ReindexedIndex {
  readonly index: string;
  readonly before: number;
  readonly after: number;
}

const INDEXES = `
  SELECT i.indexrelid::regclass::text AS index, i.indisvalid AS valid, pg_relation_size(i.indexrelid)::float8 AS bytes
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
   WHERE c.relkind = 'i' AND (i.indrelid = ANY($1::regclass[]) OR i.indrelid IN (
     SELECT p.relid FROM unnest($1::regclass[]) AS t(name) CROSS JOIN LATERAL pg_partition_tree(t.name) p WHERE p.isleaf))
   ORDER BY 1`;
const SIZE = `SELECT pg_relation_size(to_regclass($1))::float8 AS bytes`;

/**
 * Builds the indexes of tables and of their partitions anew, beside readers and writers. What a build that was killed left behind
 * is dropped first.
 * @param ownerUrl of the schema's owner
 * @param report called after each index
 */
export async function reindex(
  ownerUrl: string,
  tables: readonly string[],
  report: (done: ReindexedIndex, of: number) => void,
): Promise<ReindexedIndex[]> {
  const source = await new DataSource({
    type: 'postgres',
    url: ownerUrl,
    applicationName: 'tartware-reindex',
    poolSize: 1,
  }).initialize();
  try {
    const found = await source.query<{ index: string; valid: boolean; bytes: number }[]>(INDEXES, [tables]);
    // The name comes quoted from regclass. Left over: REINDEX CONCURRENTLY's own names for what it had not finished.
    for (const { index } of found.filter(
      ({ index: name, valid }) => !valid && /_cc(new|old)\d*"?$/.test(name),
    ))
      await source.query(`DROP INDEX CONCURRENTLY IF EXISTS ${index}`);
    const wanted = found.filter(({ index }) => !/_cc(new|old)\d*"?$/.test(index));
    const done: ReindexedIndex[] = [];
    for (const { index, bytes } of wanted) {
      await source.query(`REINDEX INDEX CONCURRENTLY ${index}`);
      const [size] = await source.query<{ bytes: number }[]>(SIZE, [index]);
      done.push({ index, before: bytes, after: size!.bytes });
      report(done.at(-1)!, wanted.length);
    }
    return done;
  } finally {
    await source.destroy();
  }
}
