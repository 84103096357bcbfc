import type { MigrationInterface, QueryRunner } from 'typeorm';
import { walls } from './sql.js';

/**
 * The version of what is shown of a property's nights: the sum over its lanes, each a number that is drawn anew with a change.
 * Who keeps an answer compares it with the one that the answer was made at; drawn and not counted, it never comes back, not
 * even in a database that was restored. Kept by triggers, whoever writes. A transaction changes a lane that nobody else holds,
 * and opens one when all are held, so that bookings of one property never wait for each other's commit here.
 */
export class PropertyVersions1763700000014 implements MigrationInterface {
  readonly name = 'PropertyVersions1763700000014';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE SEQUENCE property_version_lanes AS integer CYCLE;
      CREATE TABLE property_versions (
        tenant_id   uuid NOT NULL,
        property_id uuid NOT NULL,
        lane        integer NOT NULL,
        version     bigint NOT NULL DEFAULT random(1, 9223372036854775807),
        PRIMARY KEY (tenant_id, property_id, lane)
      ) WITH (fillfactor = 50);

      -- One upsert: it looks into the primary key row by row, whatever the statistics say.
      CREATE FUNCTION app.draw_versions(tenants uuid[], properties uuid[]) RETURNS void LANGUAGE plpgsql AS $$
      BEGIN
        INSERT INTO property_versions AS v (tenant_id, property_id, lane)
        SELECT c.tenant_id, c.property_id, coalesce(free.lane, nextval('property_version_lanes'))
          FROM unnest(tenants, properties) AS c(tenant_id, property_id)
          LEFT JOIN LATERAL (
            SELECT l.lane FROM property_versions l WHERE l.tenant_id = c.tenant_id AND l.property_id = c.property_id
             LIMIT 1 FOR UPDATE SKIP LOCKED) free ON true
        ON CONFLICT (tenant_id, property_id, lane) DO UPDATE SET version = excluded.version;
      END $$;

      CREATE FUNCTION app.version_properties() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM app.draw_versions(array_agg(tenant_id), array_agg(property_id))
           FROM (SELECT DISTINCT tenant_id, property_id FROM changed) c HAVING count(*) > 0;
        RETURN NULL;
      END $$;

      CREATE FUNCTION app.version_room_types() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM app.draw_versions(array_agg(tenant_id), array_agg(property_id))
           FROM (SELECT DISTINCT t.tenant_id, t.property_id
                   FROM (SELECT DISTINCT tenant_id, room_type_id FROM changed) c
                  CROSS JOIN LATERAL (
                    SELECT * FROM room_types t WHERE t.tenant_id = c.tenant_id AND t.room_type_id = c.room_type_id OFFSET 0) t) c
         HAVING count(*) > 0;
        RETURN NULL;
      END $$;

      -- Which properties it empties nobody says: of all that there are. Refused to those whom the walls would hide some from.
      CREATE FUNCTION app.version_all_properties() RETURNS trigger LANGUAGE plpgsql SET row_security = off AS $$
      BEGIN
        PERFORM app.draw_versions(array_agg(tenant_id), array_agg(property_id)) FROM properties HAVING count(*) > 0;
        RETURN NULL;
      END $$;
    `);
    for (const [table, counts] of SHOWN) {
      for (const [event, rows] of [
        ['INSERT', 'NEW'],
        ['UPDATE', 'NEW'],
        ['DELETE', 'OLD'],
      ])
        await runner.query(
          `CREATE TRIGGER ${table}_version_${event!.toLowerCase()} AFTER ${event} ON ${table}
             REFERENCING ${rows} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION app.${counts}()`,
        );
      await runner.query(
        `CREATE TRIGGER ${table}_version_truncate AFTER TRUNCATE ON ${table} EXECUTE FUNCTION app.version_all_properties()`,
      );
    }
    const grant = 'SELECT, INSERT, UPDATE';
    await runner.query(walls({ table: 'property_versions', grant, background: { grant } }));
    await runner.query(`
      GRANT USAGE ON SEQUENCE property_version_lanes TO tartware_app, tartware_worker;
      -- As of every table with tenants: see the statistics of an empty house.
      SELECT pg_restore_attribute_stats('schemaname', 'public', 'relname', 'property_versions', 'attname', 'tenant_id',
        'inherited', false, 'null_frac', 0.0::real, 'avg_width', 16, 'n_distinct', 5.0::real);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const [table] of SHOWN)
      for (const event of ['insert', 'update', 'delete', 'truncate'])
        await runner.query(`DROP TRIGGER ${table}_version_${event} ON ${table}`);
    await runner.query(`
      DROP FUNCTION app.version_all_properties, app.version_room_types, app.version_properties, app.draw_versions;
      DROP TABLE property_versions;
      DROP SEQUENCE property_version_lanes;
    `);
  }
}

/** What availability and occupancy show, and who finds the properties of its rows. Capacity changes with the counters' rooms. */
const SHOWN = [
  ['room_types', 'version_properties'],
  ['inventory_nights', 'version_room_types'],
  ['occupancy_nights', 'version_properties'],
] as const;
