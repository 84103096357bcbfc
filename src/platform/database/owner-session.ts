import pg from 'pg';

/** One connection of the schema's owner, for what no service may do. Statements may take as long as they need. */
export interface OwnerSession {
  query<T extends object>(text: string, values?: readonly unknown[]): Promise<T[]>;
  /** Runs `work` between BEGIN and COMMIT. @throws what it throws, after the rollback */
  atomically<T>(work: () => Promise<T>): Promise<T>;
}

/**
 * Opens a session for `work` and closes it again. Its time zone is UTC, and it sees the rows of the tables whose policies
 * are named `maintenance`: forced row-level security hides all others from the owner, too.
 */
export async function withOwnerSession<T>(
  ownerUrl: string,
  work: (session: OwnerSession) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    connectionString: ownerUrl,
    application_name: 'tartware-maintenance',
    keepAlive: true,
    options: '-c TimeZone=UTC -c app.maintenance=on',
  });
  // A connection that dies between two statements says so here; the next statement fails with it.
  client.on('error', () => undefined);
  await client.connect();
  const query = async <R extends object>(text: string, values: readonly unknown[] = []): Promise<R[]> =>
    (await client.query<R>(text, [...values])).rows;
  try {
    return await work({
      query,
      async atomically(inside) {
        await query('BEGIN');
        try {
          const result = await inside();
          await query('COMMIT');
          return result;
        } catch (error) {
          // The first fault is the one to tell; a dead connection has rolled back by itself.
          await query('ROLLBACK').catch(() => undefined);
          throw error;
        }
      },
    });
  } finally {
    await client.end();
  }
}

/** A name as it stands in a statement: quoted, whatever it holds. */
export const ident = (name: string): string => pg.escapeIdentifier(name);

/** A text as it stands in a statement that takes no parameters (DDL). */
export const literal = (text: string): string => pg.escapeLiteral(text);
