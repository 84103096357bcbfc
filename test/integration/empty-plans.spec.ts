import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

interface Plan {
  readonly 'Index Name'?: string;
  readonly Plans?: readonly Plan[];
}

const indexesOf = (plan: Plan): string[] => [
  ...(plan['Index Name'] === undefined ? [] : [plan['Index Name']]),
  ...(plan.Plans ?? []).flatMap(indexesOf),
];

describe('on a new installation, whose tables have no statistics', () => {
  let db: TestDatabase;
  let client: pg.Client;

  beforeAll(async () => {
    db = await createTestDatabase();
    client = new pg.Client({ connectionString: db.superUrl });
    await client.connect();
    await client.query(
      `SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off`,
    );
  });
  afterAll(async () => {
    await client.end();
    await db.drop();
  });

  it('a row is found by its key through the key’s index in every table, as foreign keys do', async () => {
    const { rows: keys } = await client.query<{
      table: string;
      index: string;
      columns: string[];
      types: string[];
    }>(
      `SELECT c.relname AS table, i.relname AS index, array_agg(a.attname::text ORDER BY k.n) AS columns,
              array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY k.n) AS types
         FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
         CROSS JOIN LATERAL unnest(x.indkey) WITH ORDINALITY AS k(attnum, n)
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
        WHERE x.indisprimary AND c.relkind = 'r' AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
          AND x.indkey[0] = (SELECT attnum FROM pg_attribute WHERE attrelid = c.oid AND attname = 'tenant_id')
        GROUP BY 1, 2 HAVING count(*) > 1 ORDER BY 1`,
    );
    const others: string[] = [];
    for (const { table, index, columns, types } of keys) {
      const by = columns.map((column, n) => `${column} = $${n + 1}`).join(' AND ');
      await client.query(
        `PREPARE by_key (${types.join(', ')}) AS SELECT 1 FROM ONLY ${table} x WHERE ${by} FOR KEY SHARE OF x`,
      );
      const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
        `EXPLAIN (FORMAT JSON) EXECUTE by_key (${columns.map(() => 'NULL').join(', ')})`,
      );
      await client.query('DEALLOCATE by_key');
      const used = indexesOf(rows[0]!['QUERY PLAN'][0].Plan);
      if (used.join() !== index) others.push(`${table} by ${used.join()}`);
    }
    expect(keys.map(({ table }) => table)).toEqual(
      expect.arrayContaining(['reservations', 'guests', 'dead_letters']),
    );
    // It holds few rows of a plan and a type, all of which are read.
    expect(others).toEqual(['rate_plan_prices by rate_plan_prices_one_a_night']);
  });
});
