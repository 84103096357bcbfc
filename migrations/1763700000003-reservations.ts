import type { MigrationInterface, QueryRunner } from 'typeorm';
import { walls } from './sql.js';

/** Reservations, their legal moves, idempotency keys, imports. */
export class Reservations1763700000003 implements MigrationInterface {
  readonly name = 'Reservations1763700000003';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- The published table of moves; src/modules/reservations/domain/moves.ts repeats it and a test compares the two.
      CREATE TABLE reservation_moves (
        command     text NOT NULL,
        from_status text NOT NULL,
        to_status   text NOT NULL,
        PRIMARY KEY (from_status, to_status)
      );
      INSERT INTO reservation_moves (command, from_status, to_status) VALUES
        ('confirm',   'HELD',       'CONFIRMED'),
        ('cancel',    'HELD',       'CANCELLED'),
        ('expire',    'HELD',       'EXPIRED'),
        ('cancel',    'CONFIRMED',  'CANCELLED'),
        ('no-show',   'CONFIRMED',  'NO_SHOW'),
        ('check-in',  'CONFIRMED',  'CHECKED_IN'),
        ('check-out', 'CHECKED_IN', 'CHECKED_OUT'),
        ('reinstate', 'CANCELLED',  'CONFIRMED'),
        ('reinstate', 'NO_SHOW',    'CONFIRMED');
      GRANT SELECT ON reservation_moves TO tartware_app, tartware_worker;

      CREATE SEQUENCE confirmation_numbers;
      GRANT USAGE ON SEQUENCE confirmation_numbers TO tartware_app, tartware_worker;

      CREATE TABLE reservations (
        tenant_id           uuid NOT NULL,
        reservation_id      uuid NOT NULL,
        property_id         uuid NOT NULL,
        confirmation_number text NOT NULL CHECK (confirmation_number ~ '^[2-9A-HJKMNP-TV-Z]{8}$'),
        status              text NOT NULL CHECK (status IN
          ('HELD', 'CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT', 'CANCELLED', 'NO_SHOW', 'EXPIRED')),
        room_type_id        uuid NOT NULL,
        rate_plan_id        uuid NOT NULL,
        guest_id            uuid NOT NULL,
        arrival             date NOT NULL,
        departure           date NOT NULL,
        day_use             boolean NOT NULL,
        adults              smallint NOT NULL CHECK (adults >= 0),
        children            smallint NOT NULL CHECK (children >= 0),
        babies              smallint NOT NULL CHECK (babies >= 0),
        currency            text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
        -- The agreed price of each night, in order from the arrival, in minor units.
        nightly_minor       bigint[] NOT NULL,
        override_reason     text CHECK (length(override_reason) BETWEEN 1 AND 500),
        hold_expires_at     timestamptz,
        cancel_reason       text CHECK (length(cancel_reason) BETWEEN 1 AND 500),
        room_number         text CHECK (length(room_number) BETWEEN 1 AND 20),
        origin              text NOT NULL CHECK (origin IN ('http', 'cli', 'import', 'system')),
        external_id         text CHECK (length(external_id) BETWEEN 1 AND 100),
        version             integer NOT NULL DEFAULT 1 CHECK (version >= 1),
        created_at          timestamptz NOT NULL DEFAULT now(),
        updated_at          timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant_id, reservation_id),
        CONSTRAINT reservations_confirmation_number_key UNIQUE (tenant_id, confirmation_number),
        CONSTRAINT reservations_stay CHECK (arrival <= departure AND departure - arrival <= 365),
        CONSTRAINT reservations_day_use CHECK (day_use = (arrival = departure)),
        CONSTRAINT reservations_party CHECK (adults + children + babies BETWEEN 1 AND 99),
        CONSTRAINT reservations_price_a_night CHECK (cardinality(nightly_minor) = departure - arrival),
        CONSTRAINT reservations_held_until CHECK (status <> 'HELD' OR hold_expires_at IS NOT NULL),
        CONSTRAINT reservations_cancelled_why CHECK (status <> 'CANCELLED' OR cancel_reason IS NOT NULL),
        FOREIGN KEY (tenant_id, property_id) REFERENCES properties,
        FOREIGN KEY (tenant_id, property_id, room_type_id) REFERENCES room_types (tenant_id, property_id, room_type_id),
        FOREIGN KEY (tenant_id, property_id, rate_plan_id) REFERENCES rate_plans (tenant_id, property_id, rate_plan_id),
        FOREIGN KEY (tenant_id, guest_id) REFERENCES guests
      ) WITH (fillfactor = 80);
      CREATE INDEX reservations_arrival ON reservations (tenant_id, property_id, arrival, reservation_id);
      CREATE INDEX reservations_guest ON reservations (tenant_id, guest_id, arrival, reservation_id);
      CREATE INDEX reservations_holds ON reservations (hold_expires_at) WHERE status = 'HELD';
      CREATE UNIQUE INDEX reservations_external_id_key ON reservations (tenant_id, property_id, origin, external_id)
        WHERE external_id IS NOT NULL;
      -- A room of stone takes one reservation at a time.
      CREATE UNIQUE INDEX reservations_room_in_house ON reservations (tenant_id, property_id, room_number)
        WHERE status = 'CHECKED_IN' AND room_number IS NOT NULL;

      CREATE FUNCTION app.check_move() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF TG_OP = 'INSERT' THEN
          RAISE EXCEPTION 'a reservation begins as HELD or CONFIRMED, not %', NEW.status
            USING ERRCODE = '23514', CONSTRAINT = 'reservations_moves';
        END IF;
        IF NOT EXISTS (SELECT FROM public.reservation_moves WHERE from_status = OLD.status AND to_status = NEW.status) THEN
          RAISE EXCEPTION 'no move from % to %', OLD.status, NEW.status
            USING ERRCODE = '23514', CONSTRAINT = 'reservations_moves';
        END IF;
        RETURN NEW;
      END $$;
      -- AFTER, since an upsert that turns out to be an update fires BEFORE INSERT as well.
      CREATE TRIGGER reservations_begin AFTER INSERT ON reservations
        FOR EACH ROW WHEN (NEW.status NOT IN ('HELD', 'CONFIRMED') OR NEW.version <> 1) EXECUTE FUNCTION app.check_move();
      CREATE TRIGGER reservations_move BEFORE UPDATE OF status ON reservations
        FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION app.check_move();

      CREATE FUNCTION app.check_version() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'version must go from % to %, not %', OLD.version, OLD.version + 1, NEW.version
          USING ERRCODE = '23514', CONSTRAINT = TG_TABLE_NAME || '_version_step';
      END $$;

      -- Only answers that changed something are kept (2xx): a refusal may be tried again.
      CREATE TABLE idempotency_keys (
        tenant_id      uuid NOT NULL,
        principal      text NOT NULL CHECK (length(principal) BETWEEN 1 AND 200),
        key            text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
        request_hash   bytea NOT NULL CHECK (length(request_hash) = 32),
        status         smallint NOT NULL CHECK (status BETWEEN 200 AND 299),
        headers        json NOT NULL,
        body           text NOT NULL,
        created_at     timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant_id, principal, key)
      );
      CREATE INDEX idempotency_keys_age ON idempotency_keys USING brin (created_at);

      CREATE TABLE imports (
        tenant_id   uuid NOT NULL,
        import_id   uuid NOT NULL,
        property_id uuid NOT NULL,
        kind        text NOT NULL CHECK (kind IN ('hotel-bookings')),
        file_sha256 text NOT NULL CHECK (file_sha256 ~ '^[0-9a-f]{64}$'),
        created_at  timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant_id, import_id),
        CONSTRAINT imports_one_a_property UNIQUE (tenant_id, property_id, kind),
        FOREIGN KEY (tenant_id, property_id) REFERENCES properties
      );

      -- One outcome a row, for ever: a killed import neither repeats a booking nor tries a refused row again.
      CREATE TABLE import_ledger (
        tenant_id      uuid NOT NULL,
        import_id      uuid NOT NULL,
        row_number     integer NOT NULL CHECK (row_number >= 1),
        outcome        text NOT NULL CHECK (outcome IN ('ACCEPTED', 'REFUSED')),
        code           text,
        reason         text,
        reservation_id uuid,
        recorded_at    timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant_id, import_id, row_number),
        CHECK ((outcome = 'ACCEPTED') = (reservation_id IS NOT NULL)),
        CHECK ((outcome = 'REFUSED') = (code IS NOT NULL)),
        FOREIGN KEY (tenant_id, import_id) REFERENCES imports,
        FOREIGN KEY (tenant_id, reservation_id) REFERENCES reservations
      );
    `);
    for (const table of ['tenants', 'properties', 'room_types', 'rate_plans', 'guests', 'reservations'])
      await runner.query(`
        CREATE TRIGGER ${table}_version BEFORE UPDATE ON ${table}
          FOR EACH ROW WHEN (NEW.version <> OLD.version + 1) EXECUTE FUNCTION app.check_version();`);
    await runner.query(
      walls({
        table: 'reservations',
        grant: 'SELECT, INSERT, UPDATE',
        // The sweep has to find expired holds of every tenant; it sees nothing else across them.
        background: { grant: 'SELECT', using: `status = 'HELD'` },
      }),
    );
    await runner.query(
      walls({ table: 'idempotency_keys', grant: 'SELECT, INSERT', background: { grant: 'SELECT, DELETE' } }),
    );
    await runner.query(walls({ table: 'imports', grant: 'SELECT, INSERT' }));
    await runner.query(walls({ table: 'import_ledger', grant: 'SELECT, INSERT' }));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE import_ledger, imports, idempotency_keys, reservations, reservation_moves CASCADE;
      DROP SEQUENCE confirmation_numbers;
    `);
  }
}
