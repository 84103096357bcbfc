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

/** What one reader asks, and who waits for its rows. */
interface Reader {
  readonly statements: readonly QueryConfig[];
  readonly give: (rows: readonly object[][]) => void;
  readonly fail: (error: unknown) => void;
}

/** The most readers that share a message: the last one waits for what the others ask. */
const TOGETHER = 8;

/** Those who came in this turn of the event loop, and haven't left yet. */
const arriving = new WeakMap<DataSource, Map<TenantId, Reader[]>>();

/** One try of reads that are sent at once. @throws what failed */
export async function readInOneMessage<T>(
  source: DataSource,
  tenantId: TenantId,
  work: (reads: Queries) => Promise<T>,
): Promise<T> {
  const statements: QueryConfig[] = [];
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
  if (statements.length === 0) return working;
  try {
    const rows = await together(source, tenantId, statements);
    answers.forEach(({ give }, i) => give(rows[i]!));
  } catch (error) {
    for (const { fail } of answers) fail(error as Error);
  }
  return working;
}

/** Asks with those of the same tenant who came in this turn of the event loop. @returns the rows of each statement */
function together(
  source: DataSource,
  tenantId: TenantId,
  statements: readonly QueryConfig[],
): Promise<readonly object[][]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly object[][]>();
  const reader = { statements, give: resolve, fail: reject };
  const tenants = arriving.get(source) ?? new Map<TenantId, Reader[]>();
  arriving.set(source, tenants);
  const others = tenants.get(tenantId);
  if (others) {
    if (others.push(reader) === TOGETHER) tenants.delete(tenantId);
    return promise;
  }
  const group = [reader];
  tenants.set(tenantId, group);
  setImmediate(() => {
    tenants.delete(tenantId);
    void leave(source, tenantId, group);
  });
  return promise;
}

/** Sends what these readers ask. The one whose statement is refused fails alone: the others are asked again without it. */
async function leave(source: DataSource, tenantId: TenantId, group: readonly Reader[]): Promise<void> {
  const asked = group.flatMap((reader) => reader.statements.map((statement) => ({ reader, statement })));
  const scope = statementFor(source, READ_SCOPE, [tenantId]);
  const statements = [scope, ...asked.map(({ statement }) => statement)];
  const { error, answers } = await batchOn(poolOf(source), statements);
  if (!error) {
    let from = 1;
    for (const { statements, give } of group) give(answers.slice(from, (from += statements.length)));
    return;
  }
  const refused = isRefusal(error) ? asked[answers.length - 1]?.reader : undefined;
  const others = refused ? group.filter((reader) => reader !== refused) : [];
  for (const reader of group) if (!others.includes(reader)) reader.fail(error);
  if (others.length > 0) await leave(source, tenantId, others);
}

/** The rows of the statements, up to the first that failed. */
interface Outcome {
  readonly error: Error | null;
  readonly answers: readonly object[][];
}

/** Sends statements as one batch. Never throws: somebody else waits for what comes of it. */
async function batchOn(pool: Pool, statements: readonly QueryConfig[]): Promise<Outcome> {
  try {
    const client = await pool.connect();
    const outcome = await new Promise<Outcome>((resolve) => {
      // Of a batch that is given up node-pg tells the error and nothing else.
      const batch = new Batch(statements, (error, answers = []) => resolve({ error, answers }));
      client.query(batch as unknown as Submittable);
    }).catch((error: Error): Outcome => ({ error, answers: [] }));
    client.release(outcome.error && !isRefusal(outcome.error) ? outcome.error : undefined);
    return outcome;
  } catch (error) {
    return { error: error as Error, answers: [] };
  }
}

/** The server refused a statement, and the connection is sound: codes of these classes end the session, as a rule. */
const isRefusal = (error: unknown): boolean =>
  error instanceof pg.DatabaseError && !/^(08|25P|57P)/.test(error.code ?? '57P');
