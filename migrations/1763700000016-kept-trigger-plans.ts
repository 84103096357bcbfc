import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Draws versions in the triggers themselves: lists handed to a function had its statement planned anew each time, for longer than it
 * ran; a transition table needs no parameter, so the plan is kept.
 * And a reservation's property is looked up no more: those of its room type and its rate plan are this one, and are there.
 */
export class KeptTriggerPlans1763700000016 implements MigrationInterface {
  readonly name = 'KeptTriggerPlans1763700000016';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ${Object.entries(CHANGED)
        .map(([name, { settings, of }]) => trigger(name, settings, draw(of)))
        .join('\n')}
      DROP FUNCTION app.draw_versions;

      ALTER TABLE reservations DROP CONSTRAINT reservations_tenant_id_property_id_fkey;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE FUNCTION app.draw_versions(tenants uuid[], properties uuid[]) RETURNS void LANGUAGE plpgsql AS $$
      BEGIN
        ${draw('unnest(tenants, properties) AS c(tenant_id, property_id)')}
      END $$;
      ${Object.entries(CHANGED)
        .map(([name, { settings, of }]) =>
          trigger(
            name,
            settings,
            `PERFORM app.draw_versions(array_agg(tenant_id), array_agg(property_id)) FROM ${of} HAVING count(*) > 0;`,
          ),
        )
        .join('\n')}

      ALTER TABLE reservations ADD CONSTRAINT reservations_tenant_id_property_id_fkey
        FOREIGN KEY (tenant_id, property_id) REFERENCES properties;
    `);
  }
}

/** The properties whose nights a statement changed, by the trigger's function. */
const CHANGED = {
  version_properties: { settings: '', of: '(SELECT DISTINCT tenant_id, property_id FROM changed) c' },
  version_room_types: {
    settings: '',
    of: `(SELECT DISTINCT t.tenant_id, t.property_id
           FROM (SELECT DISTINCT tenant_id, room_type_id FROM changed) c
          CROSS JOIN LATERAL (
            SELECT * FROM room_types t WHERE t.tenant_id = c.tenant_id AND t.room_type_id = c.room_type_id OFFSET 0) t) c`,
  },
  version_all_properties: { settings: 'SET row_security = off', of: 'properties c' },
};

// One upsert: it looks into the primary key row by row, whatever the statistics say.
const draw = (of: string): string => `
        INSERT INTO property_versions AS v (tenant_id, property_id, lane)
        SELECT c.tenant_id, c.property_id, coalesce(free.lane, nextval('property_version_lanes'))
          FROM ${of}
          LEFT JOIN LATERAL (
            SELECT l.lane FROM property_versions l WHERE l.tenant_id = c.tenant_id AND l.property_id = c.property_id
             LIMIT 1 FOR UPDATE SKIP LOCKED) free ON true
        ON CONFLICT (tenant_id, property_id, lane) DO UPDATE SET version = excluded.version;`;

const trigger = (name: string, settings: string, statement: string): string => `
      CREATE OR REPLACE FUNCTION app.${name}() RETURNS trigger LANGUAGE plpgsql ${settings} AS $$
      BEGIN
        ${statement.trim()}
        RETURN NULL;
      END $$;`;
