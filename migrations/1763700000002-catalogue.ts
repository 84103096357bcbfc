import type { MigrationInterface, QueryRunner } from 'typeorm';
import { walls } from './sql.js';

/** Properties, room types, inventory, rate plans, guests. Every key leads with the tenant. */
export class Catalogue1763700000002 implements MigrationInterface {
  readonly name = 'Catalogue1763700000002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE properties (
        tenant_id     uuid NOT NULL REFERENCES tenants,
        property_id   uuid NOT NULL,
        code          text NOT NULL CHECK (code ~ '^[A-Z0-9][A-Z0-9_-]{0,19}$'),
        name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
        time_zone     text NOT NULL,
        currency      text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
        business_date date NOT NULL CHECK (business_date BETWEEN '1900-01-01' AND '2900-12-31'),
        version       integer NOT NULL DEFAULT 1 CHECK (version >= 1),
        created_at    timestamptz NOT NULL DEFAULT now(),
        updated_at    timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant_id, property_id),
        CONSTRAINT properties_code_key UNIQUE (tenant_id, code)
      );

      CREATE TABLE room_types (
        tenant_id      uuid NOT NULL,
        room_type_id   uuid NOT NULL,
        property_id    uuid NOT NULL,
        code           text NOT NULL CHECK (code ~ '^[A-Z0-9][A-Z0-9_-]{0,19}$'),
        name           text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
        base_occupancy integer NOT NULL,
        max_occupancy  integer NOT NULL,
        rooms          integer NOT NULL CHECK (rooms BETWEEN 0 AND 100000),
        version        integer NOT NULL DEFAULT 1 CHECK (version >= 1),
        created_at     timestamptz NOT NULL DEFAULT now(),
        updated_at     timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant_id, room_type_id),
        UNIQUE (tenant_id, property_id, room_type_id),
        CONSTRAINT room_types_code_key UNIQUE (tenant_id, property_id, code),
        CHECK (1 <= base_occupancy AND base_occupancy <= max_occupancy AND max_occupancy <= 99),
        FOREIGN KEY (tenant_id, property_id) REFERENCES properties
      );

      -- The counters that make overselling impossible: sold can't pass rooms, whatever the code does.
      -- A page has room for new versions of its rows, so that a counter's update stays on it (HOT).
      CREATE TABLE inventory_nights (
        tenant_id    uuid NOT NULL,
        room_type_id uuid NOT NULL,
        night        date NOT NULL,
        rooms        integer NOT NULL CHECK (rooms >= 0),
        sold         integer NOT NULL DEFAULT 0,
        PRIMARY KEY (tenant_id, room_type_id, night),
        CONSTRAINT inventory_nights_not_oversold CHECK (sold BETWEEN 0 AND rooms),
        FOREIGN KEY (tenant_id, room_type_id) REFERENCES room_types
      ) WITH (fillfactor = 50);

      CREATE TABLE rate_plans (
        tenant_id    uuid NOT NULL,
        rate_plan_id uuid NOT NULL,
        property_id  uuid NOT NULL,
        code         text NOT NULL CHECK (code ~ '^[A-Z0-9][A-Z0-9_-]{0,19}$'),
        name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
        active       boolean NOT NULL DEFAULT true,
        version      integer NOT NULL DEFAULT 1 CHECK (version >= 1),
        created_at   timestamptz NOT NULL DEFAULT now(),
        updated_at   timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant_id, rate_plan_id),
        UNIQUE (tenant_id, property_id, rate_plan_id),
        CONSTRAINT rate_plans_code_key UNIQUE (tenant_id, property_id, code),
        FOREIGN KEY (tenant_id, property_id) REFERENCES properties
      );

      -- Half-open [from_date, to_date); no end: open-ended. At most one price a night.
      CREATE TABLE rate_plan_prices (
        tenant_id    uuid NOT NULL,
        property_id  uuid NOT NULL,
        rate_plan_id uuid NOT NULL,
        room_type_id uuid NOT NULL,
        from_date    date NOT NULL,
        to_date      date,
        amount_minor bigint NOT NULL CHECK (amount_minor BETWEEN 0 AND 100000000000),
        PRIMARY KEY (tenant_id, rate_plan_id, room_type_id, from_date),
        CHECK (to_date IS NULL OR from_date < to_date),
        CONSTRAINT rate_plan_prices_one_a_night EXCLUDE USING gist
          (tenant_id WITH =, rate_plan_id WITH =, room_type_id WITH =, daterange(from_date, to_date) WITH &&),
        FOREIGN KEY (tenant_id, property_id, rate_plan_id) REFERENCES rate_plans (tenant_id, property_id, rate_plan_id),
        FOREIGN KEY (tenant_id, property_id, room_type_id) REFERENCES room_types (tenant_id, property_id, room_type_id)
      );

      -- The only table that holds people's names and addresses.
      CREATE TABLE guests (
        tenant_id   uuid NOT NULL REFERENCES tenants,
        guest_id    uuid NOT NULL,
        first_name  text CHECK (length(first_name) <= 100),
        last_name   text NOT NULL CHECK (length(last_name) BETWEEN 1 AND 100),
        email       text CHECK (length(email) <= 254),
        phone       text CHECK (length(phone) <= 40),
        address     text CHECK (length(address) <= 500),
        country     text CHECK (country ~ '^[A-Z]{2}$'),
        -- What people are looked up by. lower() and LIKE are not leakproof, so under row-level security an index on them is
        -- never used (138 ms at 100,000 guests); comparing bytes is.
        last_name_key text COLLATE "C" NOT NULL GENERATED ALWAYS AS (lower(last_name)) STORED,
        email_key     text COLLATE "C" GENERATED ALWAYS AS (lower(email)) STORED,
        version     integer NOT NULL DEFAULT 1 CHECK (version >= 1),
        created_at  timestamptz NOT NULL DEFAULT now(),
        updated_at  timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant_id, guest_id)
      );
      CREATE INDEX guests_last_name ON guests (tenant_id, last_name_key, guest_id);
      CREATE INDEX guests_email ON guests (tenant_id, email_key) WHERE email_key IS NOT NULL;
    `);
    for (const table of ['properties', 'room_types', 'inventory_nights', 'rate_plans', 'guests'])
      await runner.query(walls({ table, grant: 'SELECT, INSERT, UPDATE' }));
    await runner.query(walls({ table: 'rate_plan_prices', grant: 'SELECT, INSERT, UPDATE, DELETE' }));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      `DROP TABLE guests, rate_plan_prices, rate_plans, inventory_nights, room_types, properties CASCADE`,
    );
  }
}
