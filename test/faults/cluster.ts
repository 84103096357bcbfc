import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import {
  startEmbedded,
  type EmbeddedDatabase,
} from '../../src/platform/database/embedded/embedded-postgres.js';
import { runMigrations } from '../../src/platform/database/migrate.js';
import { pidExists } from '../../src/platform/database/embedded/process-identity.js';
import { layoutOf } from '../../src/platform/database/embedded/state.js';
import { until } from '../support/http-client.js';

/** Everything reaches the disk, or what passes for it: an answered commit has to outlive an immediate restart. */
const SETTINGS = { max_connections: '150', fsync: 'on', synchronous_commit: 'on' };
/** How long a question waits for a server that restarts, ms. */
const PATIENCE_MS = 60_000;

/** PostgreSQL of the drill's own, migrated, on a port that it keeps over restarts. */
export class Cluster {
  private readonly pool: pg.Pool;

  private constructor(
    private readonly home: string,
    private database: EmbeddedDatabase,
  ) {
    this.pool = new pg.Pool({ connectionString: database.superUrl, max: 4, query_timeout: 20_000 });
    // Restarts end its connections, which is what they are for.
    this.pool.on('error', () => undefined);
  }

  /** @param home TARTWARE_HOME: the cluster's files are below it */
  static async start(home: string): Promise<Cluster> {
    const database = await startEmbedded({ home, settings: SETTINGS });
    await runMigrations(database.ownerUrl);
    return new Cluster(home, database);
  }

  get urls(): Pick<EmbeddedDatabase, 'appUrl' | 'workerUrl' | 'ownerUrl' | 'superUrl'> {
    return this.database;
  }

  get port(): number {
    return this.database.port;
  }

  /** Asks as superuser, past every wall, and as often as it takes while the server is away. */
  ask<T extends object>(text: string, values: readonly unknown[] = []): Promise<T[]> {
    return until(
      'the database answers the drill',
      async () => {
        try {
          return (await this.pool.query<T>(text, [...values])).rows;
        } catch (error) {
          // A statement that is wrong stays wrong; all else passes.
          if (/^(42|22|23)/.test((error as { code?: string }).code ?? '')) return Promise.reject(error);
          return null;
        }
      },
      PATIENCE_MS,
    );
  }

  /** As a power cut does it, then up again on the same port. Resolves when it takes statements. */
  async crash(): Promise<void> {
    const file = join(layoutOf(this.home).data, 'postmaster.pid');
    const pid = Number((await readFile(file, 'utf8')).split('\n')[0]);
    process.kill(pid, 'SIGQUIT');
    await until('PostgreSQL is gone', async () => !pidExists(pid), PATIENCE_MS, 5);
    const { port } = this;
    await this.database.stop();
    this.database = await startEmbedded({ home: this.home, port, settings: SETTINGS });
  }

  async stop(): Promise<void> {
    await this.pool.end();
    await this.database.stop();
  }
}
