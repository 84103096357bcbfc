import type { MigrationInterface, QueryRunner } from 'typeorm';
import { walls } from './sql.js';

/** Roles, the tenant's context, tenants. */
export class Tenancy1763700000001 implements MigrationInterface {
  readonly name = 'Tenancy1763700000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DO $$
      DECLARE r text;
      BEGIN
        FOREACH r IN ARRAY ARRAY['tartware_app', 'tartware_worker'] LOOP
          IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
            BEGIN
              EXECUTE format('CREATE ROLE %I NOLOGIN NOBYPASSRLS', r);
            EXCEPTION WHEN insufficient_privilege THEN
              RAISE EXCEPTION 'role % is missing and the owner may not create it', r
                USING HINT = format('As a superuser: CREATE ROLE %I NOLOGIN; then GRANT it to the login of that service.', r);
            END;
          END IF;
          IF EXISTS (SELECT FROM pg_roles WHERE rolname = r AND (rolsuper OR rolbypassrls)) THEN
            RAISE EXCEPTION 'role % bypasses row-level security', r;
          END IF;
        END LOOP;
      END $$;

      CREATE EXTENSION IF NOT EXISTS btree_gist;
      REVOKE CREATE ON SCHEMA public FROM PUBLIC;
      CREATE SCHEMA app;
      GRANT USAGE ON SCHEMA app, public TO tartware_app, tartware_worker;

      -- After COMMIT a transaction-local setting reads '' and not NULL.
      CREATE FUNCTION app.tenant_id() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
        AS $$ SELECT nullif(current_setting('app.tenant_id', true), '')::uuid $$;

      CREATE FUNCTION app.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = '42501';
      END $$;

      CREATE TABLE tenants (
        tenant_id  uuid PRIMARY KEY,
        code       text NOT NULL UNIQUE CHECK (code ~ '^[a-z][a-z0-9-]{1,39}$'),
        name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
        version    integer NOT NULL DEFAULT 1 CHECK (version >= 1),
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        CHECK (tenant_id <> '00000000-0000-0000-0000-000000000000')
      );
    `);
    await runner.query(walls({ table: 'tenants', grant: 'SELECT, INSERT, UPDATE' }));
    // The platform's own tenant keeps the list of tenants; that list and nothing else is open to it.
    await runner.query(`
      CREATE POLICY tenants_platform ON tenants TO tartware_app, tartware_worker
        USING ((SELECT app.tenant_id()) = '00000000-0000-0000-0000-000000000000')
        WITH CHECK ((SELECT app.tenant_id()) = '00000000-0000-0000-0000-000000000000');
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE tenants; DROP SCHEMA app CASCADE;`);
  }
}
