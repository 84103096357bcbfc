import { DataSource } from 'typeorm';
import { Catalogue1763700000002 } from '../../../migrations/1763700000002-catalogue.js';
import { Events1763700000004 } from '../../../migrations/1763700000004-events.js';
import { Lifecycle1763700000010 } from '../../../migrations/1763700000010-lifecycle.js';
import { Capacity1763700000011 } from '../../../migrations/1763700000011-capacity.js';
import { CapacityRecount1763700000013 } from '../../../migrations/1763700000013-capacity-recount.js';
import { PropertyVersions1763700000014 } from '../../../migrations/1763700000014-property-versions.js';
import { KeptTriggerPlans1763700000016 } from '../../../migrations/1763700000016-kept-trigger-plans.js';
import { Require1763700000015 } from '../../../migrations/1763700000015-require.js';
import { TenantStatistics1763700000012 } from '../../../migrations/1763700000012-tenant-statistics.js';
import { OutboxIndexes1763700000006 } from '../../../migrations/1763700000006-outbox-indexes.js';
import { OutboxOperations1763700000005 } from '../../../migrations/1763700000005-outbox-operations.js';
import { EventSize1763700000009 } from '../../../migrations/1763700000009-event-size.js';
import { Partitions1763700000008 } from '../../../migrations/1763700000008-partitions.js';
import { Reservations1763700000003 } from '../../../migrations/1763700000003-reservations.js';
import { DeadLetters1763700000007 } from '../../../migrations/1763700000007-dead-letters.js';
import { Tenancy1763700000001 } from '../../../migrations/1763700000001-tenancy.js';

/** Every migration, in order; the schema is nothing else. */
export const MIGRATIONS = [
  Tenancy1763700000001,
  Catalogue1763700000002,
  Reservations1763700000003,
  Events1763700000004,
  OutboxOperations1763700000005,
  OutboxIndexes1763700000006,
  Partitions1763700000008,
  EventSize1763700000009,
  DeadLetters1763700000007,
  Lifecycle1763700000010,
  Capacity1763700000011,
  TenantStatistics1763700000012,
  CapacityRecount1763700000013,
  PropertyVersions1763700000014,
  Require1763700000015,
  KeptTriggerPlans1763700000016,
];

/** The data source of the schema's owner; also `ormconfig.ts`, for TypeORM's own command line. */
export const ownerDataSource = (ownerUrl: string): DataSource =>
  new DataSource({
    type: 'postgres',
    url: ownerUrl,
    applicationName: 'tartware-migrate',
    migrations: MIGRATIONS,
    migrationsTableName: 'schema_migrations',
    migrationsTransactionMode: 'each',
    poolSize: 2,
  });

/**
 * Applies what is missing; two at once wait for each other.
 * @returns the names of the migrations that were applied, in order
 */
export async function runMigrations(ownerUrl: string): Promise<string[]> {
  const source = await ownerDataSource(ownerUrl).initialize();
  try {
    // A session lock on a connection of its own: each migration has its own transaction.
    const runner = source.createQueryRunner();
    await runner.query(`SELECT pg_advisory_lock(hashtext('tartware.migrate'))`);
    try {
      const applied = await source.runMigrations();
      return applied.map((migration) => migration.name);
    } finally {
      await runner.query(`SELECT pg_advisory_unlock(hashtext('tartware.migrate'))`);
      await runner.release();
    }
  } finally {
    await source.destroy();
  }
}

/** Names of migrations that the database lacks. */
export async function pendingMigrations(ownerUrl: string): Promise<string[]> {
  const source = await ownerDataSource(ownerUrl).initialize();
  try {
    const rows = (await source.query(`SELECT name FROM schema_migrations`).catch(() => [])) as {
      name: string;
    }[];
    const done = new Set(rows.map((row) => row.name));
    return MIGRATIONS.map((migration) => migration.name).filter((name) => !done.has(name));
  } finally {
    await source.destroy();
  }
}
