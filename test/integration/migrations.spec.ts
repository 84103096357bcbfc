import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createService, LAST_MIGRATION } from '../../src/entrypoints/service.js';
import { ConfigError, loadConfig, type AppMode } from '../../src/platform/config/config.js';
import { MIGRATIONS, ownerDataSource, runMigrations } from '../../src/platform/database/migrate.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { createHouse } from '../support/fixtures.js';
import { ask } from '../support/house-sql.js';

describe('a migration of a database in use', () => {
  let db: TestDatabase;

  beforeEach(async () => {
    db = await createTestDatabase();
  });
  afterEach(() => db.drop());

  /** Takes migrations back until `name` is the last, or all of them. */
  async function backTo(name: string | undefined): Promise<void> {
    const source = await ownerDataSource(db.ownerUrl).initialize();
    try {
      const last = async (): Promise<string | undefined> => {
        const rows = await source.query<{ name: string }[]>(
          `SELECT name FROM schema_migrations ORDER BY id DESC LIMIT 1`,
        );
        return rows[0]?.name;
      };
      while ((await last()) !== name) await source.undoLastMigration();
    } finally {
      await source.destroy();
    }
  }

  const capacity = (): Promise<object[]> =>
    ask(
      db.superUrl,
      `SELECT property_id AS id, rooms, count(*)::int AS nights FROM capacity_nights GROUP BY 1, 2`,
    );

  it('counts the capacity of the nights that were open before it', async () => {
    const { propertyId } = await createHouse(db, { rooms: 7, types: 3, nights: 20 });
    await backTo('Lifecycle1763700000010');
    await runMigrations(db.ownerUrl);
    expect(await capacity()).toEqual([{ id: propertyId, rooms: 21, nights: 20 }]);
  });

  it('counts the capacity anew where an earlier one had found no night', async () => {
    const { propertyId } = await createHouse(db, { rooms: 7, types: 3, nights: 20 });
    await backTo('TenantStatistics1763700000012');
    await ask(
      db.superUrl,
      `DELETE FROM capacity_nights WHERE night <> (SELECT min(night) FROM capacity_nights)`,
    );
    await ask(db.superUrl, `UPDATE capacity_nights SET rooms = 7`);
    await runMigrations(db.ownerUrl);
    expect(await capacity()).toEqual([{ id: propertyId, rooms: 21, nights: 20 }]);
  });

  it.each<{ mode: AppMode; state: string; last?: string }>([
    { mode: 'api', state: 'one migration too old', last: 'TenantStatistics1763700000012' },
    { mode: 'worker', state: 'one migration too old', last: 'TenantStatistics1763700000012' },
    { mode: 'api', state: 'empty' },
  ])('a service of mode $mode refuses a schema that is $state', async ({ mode, last }) => {
    await backTo(last);
    if (!last) await ask(db.superUrl, 'DROP TABLE schema_migrations');
    const urls = { app: mode === 'api' ? db.appUrl : null, worker: mode === 'api' ? null : db.workerUrl };
    const config = loadConfig({ APP_MODE: mode, DATABASE_URL: db.appUrl, DATABASE_WORKER_URL: db.workerUrl });
    await expect(createService(config, urls)).rejects.toThrow(
      new ConfigError(
        'the database has no schema yet, or an older one: run `tartware migrate` with DATABASE_OWNER_URL first',
      ),
    );
  });

  it('the last migration is the one that a service asks for', () => {
    expect(MIGRATIONS.at(-1)!.name).toBe(LAST_MIGRATION);
  });
});
