import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Tells the planner of a new installation that a tenant has many rows. Of a table without statistics it believes that every
 * tenant has one; then any index that begins with the tenant looks as good as the primary key, and a session keeps such a plan,
 * those of foreign keys too, until the first statistics come: with 20,000 reservations a check of one took 0.6 ms instead of 0.01.
 * ANALYZE replaces this with what it finds.
 */
export class TenantStatistics1763700000012 implements MigrationInterface {
  readonly name = 'TenantStatistics1763700000012';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DO $$
      DECLARE name text;
      BEGIN
        FOR name IN
          SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
           WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition
             AND a.attname = 'tenant_id' AND c.relname <> 'tenants'
             AND c.reltuples < 0 -- never analyzed
        LOOP
          PERFORM pg_restore_attribute_stats('schemaname', 'public', 'relname', name, 'attname', 'tenant_id', 'inherited', false,
            'null_frac', 0.0::real, 'avg_width', 16, 'n_distinct', 5.0::real);
        END LOOP;
      END $$;
    `);
  }

  async down(): Promise<void> {
    // What ANALYZE has written since is nobody's to take back.
  }
}
