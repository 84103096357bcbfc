import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbedded } from '../../src/platform/database/embedded/embedded-postgres.js';
import { lockHolder } from '../../src/platform/database/embedded/file-lock.js';
import { freePort, stopPostmaster } from '../../src/platform/database/embedded/postmaster.js';
import { layoutOf } from '../../src/platform/database/embedded/state.js';
import { SERVER_VARIABLE, withDatabase, type TestServer } from './server.js';
import { scratchFolder, scratchRoot } from './scratch.js';

/** What the end of the run has to undo, last come first. */
const undo: (() => Promise<void>)[] = [];

const PREFIX = 'tartware-test-';
const HOUR_MS = 3_600_000;
const TEMPLATE = 'tartware_template';

/** Nothing of a test run outlives it, so nothing needs to reach the disk. */
const SETTINGS = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '200',
  shared_buffers: '256MB',
  max_wal_size: '2GB',
  checkpoint_timeout: '1h',
  autovacuum_naptime: '10s',
};

/**
 * Starts one embedded PostgreSQL for the run and migrates the template database, once. Where TARTWARE_TEST_SERVER is set
 * already (a test run inside a test run), that server is used and left alone.
 */
export async function startRun(): Promise<void> {
  if (process.env['TARTWARE_RING'] === 'kafka') await startKafka();
  if (process.env[SERVER_VARIABLE]) return;
  await sweep();
  const home = scratchFolder(PREFIX);
  undo.push(() => rm(home, { recursive: true, force: true }));
  const database = await startEmbedded({ home, settings: SETTINGS });
  undo.push(() => database.stop());
  const urls = { ownerUrl: database.ownerUrl, appUrl: database.appUrl, workerUrl: database.workerUrl };
  await makeTemplate(database.superUrl, withDatabase(urls.ownerUrl, TEMPLATE));
  const server: TestServer = {
    superUrl: withDatabase(database.superUrl, 'postgres'),
    ...urls,
    template: TEMPLATE,
  };
  process.env[SERVER_VARIABLE] = JSON.stringify(server);
}

/** The Kafka ring's broker, new and empty, unless KAFKA_BROKERS names one. Without Java and Maven the ring fails here. */
async function startKafka(): Promise<void> {
  if (process.env['KAFKA_BROKERS']) return;
  const { startBroker } = await import('../../tools/kafka/broker.mjs');
  const dir = scratchFolder('tartware-broker-');
  undo.push(() => rm(dir, { recursive: true, force: true }));
  const broker = await startBroker({ dir, port: await freePort(), controllerPort: await freePort() });
  undo.push(() => broker.stop());
  process.env['KAFKA_BROKERS'] = broker.brokers;
}

/** Stops what `startRun` started, and removes it. */
export async function endRun(): Promise<void> {
  for (const work of undo.splice(0).reverse()) await work();
}

async function makeTemplate(superUrl: string, ownerUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: withDatabase(superUrl, 'postgres') });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${TEMPLATE} OWNER tartware_owner`);
    const { runMigrations } = await import('../../src/platform/database/migrate.js');
    await runMigrations(ownerUrl);
    // Nobody may linger in the template: PostgreSQL clones a database only while it has no sessions.
    await client.query(`ALTER DATABASE ${TEMPLATE} ALLOW_CONNECTIONS false`);
    await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, [
      TEMPLATE,
    ]);
  } finally {
    await client.end();
  }
}

/** Removes what runs that were killed left behind: a server that nobody will ever stop, and its folder. */
async function sweep(): Promise<void> {
  for (const name of await readdir(scratchRoot())) {
    if (!name.startsWith(PREFIX)) continue;
    const layout = layoutOf(join(scratchRoot(), name));
    // Without a lock file it may be a run that is just beginning, or one killed while it tidied up.
    const since = await stat(layout.lock).then(
      () => Infinity,
      async () => Date.now() - (await stat(layout.home)).mtimeMs,
    );
    if (since < HOUR_MS || (await lockHolder(layout.lock))) continue;
    await stopPostmaster(layout);
    await rm(layout.home, { recursive: true, force: true });
  }
}
