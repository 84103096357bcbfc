import pg from 'pg';
import type { EmbeddedDatabase } from '../src/platform/database/embedded/embedded-postgres.js';

/** The addresses of a database, each with its role's password. */
export type Addresses = Pick<EmbeddedDatabase, 'ownerUrl' | 'appUrl' | 'workerUrl' | 'superUrl'>;

/** A migrated database, and the superuser's way into it. */
export class Ground {
  constructor(readonly database: Addresses) {}

  /** Statements of the superuser: fills tables, empties them. */
  async sql<T extends object = object>(text: string, values: unknown[] = []): Promise<T[]> {
    const client = new pg.Client({ connectionString: this.database.superUrl });
    await client.connect();
    try {
      return (await client.query<T>(text, values)).rows;
    } finally {
      await client.end();
    }
  }

  /** Lets vacuum of the queue and the checkpoint come now and not in the midst of a measure. */
  async settle(): Promise<void> {
    await this.sql('VACUUM ANALYZE outbox_queue');
    await this.sql('CHECKPOINT');
  }
}
