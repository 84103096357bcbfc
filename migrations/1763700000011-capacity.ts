import type { MigrationInterface, QueryRunner } from 'typeorm';
import { walls } from './sql.js';

/**
 * The rooms that a property has to sell, by night: the sum over its types. Kept by a trigger on the counters, which a booking does
 * not fire (it writes `sold`), since to add up ten types for a year takes ten milliseconds of each look at the occupancy.
 * The nights that are open already are counted by a later migration.
 */
export class Capacity1763700000011 implements MigrationInterface {
  readonly name = 'Capacity1763700000011';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE capacity_nights (
        tenant_id   uuid NOT NULL,
        property_id uuid NOT NULL,
        night       date NOT NULL,
        rooms       integer NOT NULL,
        PRIMARY KEY (tenant_id, property_id, night),
        CONSTRAINT capacity_nights_not_negative CHECK (rooms >= 0)
      ) WITH (fillfactor = 50);

      -- Less goes by UPDATE: of an upsert PostgreSQL checks the row that it proposes before it looks for the one that is there.
      CREATE FUNCTION app.count_capacity() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF TG_OP <> 'INSERT' THEN
          UPDATE capacity_nights c SET rooms = c.rooms - OLD.rooms FROM room_types t
           WHERE t.tenant_id = OLD.tenant_id AND t.room_type_id = OLD.room_type_id
             AND c.tenant_id = t.tenant_id AND c.property_id = t.property_id AND c.night = OLD.night;
        END IF;
        IF TG_OP <> 'DELETE' THEN
          INSERT INTO capacity_nights AS c (tenant_id, property_id, night, rooms)
          SELECT t.tenant_id, t.property_id, NEW.night, NEW.rooms FROM room_types t
           WHERE t.tenant_id = NEW.tenant_id AND t.room_type_id = NEW.room_type_id
          ON CONFLICT (tenant_id, property_id, night) DO UPDATE SET rooms = c.rooms + excluded.rooms;
        END IF;
        RETURN NULL;
      END $$;
      CREATE TRIGGER inventory_nights_capacity AFTER INSERT OR DELETE OR UPDATE OF tenant_id, room_type_id, night, rooms
        ON inventory_nights FOR EACH ROW EXECUTE FUNCTION app.count_capacity();
    `);
    await runner.query(walls({ table: 'capacity_nights', grant: 'SELECT, INSERT, UPDATE' }));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TRIGGER inventory_nights_capacity ON inventory_nights;
      DROP FUNCTION app.count_capacity;
      DROP TABLE capacity_nights;
    `);
  }
}
