import pg, { type Pool, type QueryConfig, type Submittable } from 'pg';
import type { DataSource } from 'typeorm';
import type { TenantId } from '../kernel/ids.js';
import { Batch } from './batch.js';
import { poolOf, statementFor } from './data-source.js';
import type { Sql } from './sql.js';
import { READ_SCOPE } from './tenant-scope.js';

/** What can be asked in every transaction. */
export interface Queries {
  /**
   * Runs a named statement, prepared once a connection. Statements that need nothing of each other may be sent at once
   * (`Promise.all`): they share a round trip and run in the order of the calls.
   */
  query<T extends object>(statement: Sql, values: readonly unknown[]): Promise<T[]>;
}

/** One try of reads that are sent at once. @throws what failed */
export async function readInOneMessage<T>(
  source: DataSource,
  tenantId: TenantId,
  work: (reads: Queries) => Promise<T>,
): Promise<T> {
  const statements = [statementFor(source, READ_SCOPE, [tenantId])];
  const answers: { give: (rows: object[]) => void; fail: (error: Error) => void }[] = [];
  let sent = false;
  const working = work({
    query: <R extends object>(statement: Sql, values: readonly unknown[]): Promise<R[]> => {
      if (sent) return Promise.reject(new Error(`${statement.name} comes after the reads were sent`));
      statements.push(statementFor(source, statement, values));
      const rows = new Promise<R[]>((give, fail) =>
        answers.push({ give: give as (rows: object[]) => void, fail }),
      );
      // Of work that failed before it awaited them nobody listens.
      rows.catch(() => undefined);
      return rows;
    },
  });
  working.catch(() => undefined);
  sent = true;
  try {
    const rows = await batchOn(poolOf(source), statements);
    answers.forEach(({ give }, i) => give(rows[i + 1]!));
  } catch (error) {
    for (const { fail } of answers) fail(error as Error);
  }
  return working;
}

/** Sends statements as one batch. @returns the rows of each */
async function batchOn(pool: Pool, statements: readonly QueryConfig[]): Promise<object[][]> {
  const { promise, resolve, reject } = Promise.withResolvers<object[][]>();
  const batch = new Batch(statements, (error, rows) => (rows ? resolve(rows) : reject(error!)));
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    client.query(batch as unknown as Submittable);
    return await promise;
  } catch (error) {
    if (!isRefusal(error)) broken = error as Error;
    throw error;
  } finally {
    client.release(broken);
  }
}

/** The server refused a statement, and the connection is sound: codes of these classes end the session, as a rule. */
const isRefusal = (error: unknown): boolean =>
  error instanceof pg.DatabaseError && !/^(08|25P|57P)/.test(error.code ?? '57P');
