import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { testServer, withDatabase } from './server.js';

/** Any constant: makes the clones of all workers queue up instead of failing with 55006 (the template is being copied). */
const CLONE_LOCK = 7_411_001;

/** A database of its own, migrated, empty. */
export interface TestDatabase {
  readonly ownerUrl: string;
  readonly appUrl: string;
  readonly workerUrl: string;
  readonly superUrl: string;
  readonly name: string;
  /** Drops it, sessions and all. */
  drop(): Promise<void>;
}

/** Clones the migrated template; one for a test file is usual (`beforeAll`), and takes some 50 ms. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const server = testServer();
  const name = `test_${randomBytes(6).toString('hex')}`;
  await asSuper(server.superUrl, async (client) => {
    await client.query('SELECT pg_advisory_lock($1)', [CLONE_LOCK]);
    // FILE_COPY: with fsync off, copying files beats writing each page to the log, as the default does.
    await client.query(
      `CREATE DATABASE ${name} TEMPLATE ${server.template} OWNER tartware_owner STRATEGY FILE_COPY`,
    );
  });
  return {
    name,
    ownerUrl: withDatabase(server.ownerUrl, name),
    appUrl: withDatabase(server.appUrl, name),
    workerUrl: withDatabase(server.workerUrl, name),
    superUrl: withDatabase(server.superUrl, name),
    drop: () =>
      asSuper(server.superUrl, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)),
  };
}

async function asSuper(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
