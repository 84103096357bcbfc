import type { MigrationInterface, QueryRunner } from 'typeorm';
import { walls } from './sql.js';

/** Outbox, audit log, inbox, dead letters, the occupancy read model; the log of the embedded default. */
export class Events1763700000004 implements MigrationInterface {
  readonly name = 'Events1763700000004';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- What happened, for ever. key_seq is the aggregate's version, taken under its row lock: gap-free, in commit order.
      -- Ids of people only, never their names: what is written here can't be erased.
      CREATE TABLE outbox_events (
        tenant_id      uuid NOT NULL,
        aggregate_id   uuid NOT NULL,
        key_seq        integer NOT NULL CHECK (key_seq >= 1),
        occurred_at    timestamptz NOT NULL,
        event_id       uuid NOT NULL,
        aggregate_type text NOT NULL,
        event_type     text NOT NULL,
        event_version  smallint NOT NULL CHECK (event_version >= 1),
        data           json NOT NULL,
        correlation_id uuid NOT NULL,
        traceparent    text NOT NULL,
        actor          text NOT NULL,
        received_at    timestamptz NOT NULL,
        PRIMARY KEY (tenant_id, aggregate_id, key_seq, occurred_at)
      ) PARTITION BY RANGE (occurred_at);
      -- Not led by the tenant: to a plan that was made while the table was empty, every index that begins with the tenant is
      -- as good as the primary key, and the relay then reads all of a tenant's events for each one (3k/s, not 33k/s).
      CREATE INDEX outbox_events_correlation ON outbox_events (correlation_id, tenant_id);

      -- What is not yet in the log: narrow, one index, rows deleted once acknowledged.
      CREATE TABLE outbox_queue (
        slot         smallint NOT NULL CHECK (slot BETWEEN 0 AND 15),
        queue_id     bigint GENERATED ALWAYS AS IDENTITY,
        tenant_id    uuid NOT NULL,
        aggregate_id uuid NOT NULL,
        key_seq      integer NOT NULL,
        occurred_at  timestamptz NOT NULL,
        PRIMARY KEY (slot, queue_id)
      ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

      -- A key whose head was refused by the broker: it waits (FAILED), or stands still (DLQ), and its later events behind it.
      CREATE TABLE outbox_blocked_keys (
        tenant_id       uuid NOT NULL,
        aggregate_id    uuid NOT NULL,
        key_seq         integer NOT NULL,
        status          text NOT NULL CHECK (status IN ('FAILED', 'DLQ', 'PARKED')),
        attempts        integer NOT NULL CHECK (attempts >= 0),
        next_attempt_at timestamptz,
        cause           text NOT NULL,
        updated_at      timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant_id, aggregate_id),
        CHECK ((status = 'FAILED') = (next_attempt_at IS NOT NULL))
      );

      -- A slot is worked by one relay at a time; the epoch fences one that was paused past its lease.
      CREATE TABLE outbox_slots (
        slot        smallint PRIMARY KEY,
        owner       text,
        epoch       bigint NOT NULL DEFAULT 0,
        lease_until timestamptz NOT NULL DEFAULT '-infinity'
      );
      INSERT INTO outbox_slots (slot) SELECT generate_series(0, 15);

      -- Who relays just now: a relay without a slot shows here only, and each takes its fair share of the slots.
      CREATE TABLE outbox_relays (
        owner       text PRIMARY KEY CHECK (length(owner) BETWEEN 1 AND 200),
        alive_until timestamptz NOT NULL
      );

      -- PUBLISHED: the broker has it, and where.
      CREATE TABLE event_receipts (
        tenant_id    uuid NOT NULL,
        aggregate_id uuid NOT NULL,
        key_seq      integer NOT NULL,
        occurred_at  timestamptz NOT NULL,
        published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        partition    integer NOT NULL,
        log_offset   bigint NOT NULL,
        PRIMARY KEY (tenant_id, aggregate_id, key_seq, occurred_at)
      ) PARTITION BY RANGE (occurred_at);

      -- CONSUMED and APPLIED, written with the effect. Its key makes a second application impossible.
      CREATE TABLE event_inbox (
        tenant_id    uuid NOT NULL,
        aggregate_id uuid NOT NULL,
        key_seq      integer NOT NULL,
        occurred_at  timestamptz NOT NULL,
        event_id     uuid NOT NULL,
        consumed_at  timestamptz NOT NULL,
        applied_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (tenant_id, aggregate_id, key_seq, occurred_at)
      ) PARTITION BY RANGE (occurred_at);

      -- The last applied version of each key: what is at or below it is a duplicate, what skips one is a gap.
      CREATE TABLE event_key_marks (
        tenant_id    uuid NOT NULL,
        aggregate_id uuid NOT NULL,
        applied_seq  integer NOT NULL CHECK (applied_seq >= 0),
        PRIMARY KEY (tenant_id, aggregate_id)
      ) WITH (fillfactor = 70);

      -- The truth about how far the consumer is; the broker's own offsets are a cache of it.
      CREATE TABLE reservation_event_offsets (
        consumer_group text NOT NULL,
        topic          text NOT NULL,
        partition      integer NOT NULL,
        next_offset    bigint NOT NULL DEFAULT 0 CHECK (next_offset >= 0),
        epoch          bigint NOT NULL DEFAULT 0,
        owner          text,
        committed_at   timestamptz,
        PRIMARY KEY (consumer_group, topic, partition)
      );

      CREATE TABLE dead_letters (
        tenant_id      uuid NOT NULL,
        dead_letter_id uuid NOT NULL,
        consumer_group text NOT NULL,
        topic          text NOT NULL,
        partition      integer NOT NULL,
        log_offset     bigint NOT NULL,
        event_id       uuid,
        aggregate_id   uuid,
        key_seq        integer,
        occurred_at    timestamptz,
        -- DEAD: tried and given up, or unreadable. PARKED: behind a dead event of the same key.
        status         text NOT NULL CHECK (status IN ('DEAD', 'PARKED')),
        record_key     text,
        record_value   bytea,
        record_headers json NOT NULL,
        retry_count    integer NOT NULL CHECK (retry_count >= 0),
        attempted_at   timestamptz NOT NULL,
        failure_code   text NOT NULL,
        failure_cause  text NOT NULL,
        published_at   timestamptz,
        created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (tenant_id, dead_letter_id),
        -- With the event: a log that was made anew gives its offsets again, to other events.
        UNIQUE (consumer_group, topic, partition, log_offset, event_id)
      );
      CREATE INDEX dead_letters_key ON dead_letters (aggregate_id, tenant_id);
      CREATE INDEX dead_letters_unpublished ON dead_letters (created_at) WHERE published_at IS NULL;

      CREATE TABLE audit_log (
        tenant_id      uuid NOT NULL,
        audit_id       uuid NOT NULL,
        occurred_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
        actor          text NOT NULL,
        source         text NOT NULL,
        ip             inet,
        action         text NOT NULL,
        resource_type  text NOT NULL,
        resource_id    uuid NOT NULL,
        correlation_id uuid NOT NULL,
        changes        json NOT NULL,
        PRIMARY KEY (tenant_id, audit_id, occurred_at)
      ) PARTITION BY RANGE (occurred_at);
      CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
        FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
      CREATE TRIGGER outbox_events_append_only BEFORE UPDATE OR DELETE ON outbox_events
        FOR EACH ROW EXECUTE FUNCTION app.refuse_change();

      -- Filled by the consumer only. Booked: confirmed, in house or left. Stayed: left.
      CREATE TABLE occupancy_nights (
        tenant_id            uuid NOT NULL,
        property_id          uuid NOT NULL,
        night                date NOT NULL,
        booked_rooms         integer NOT NULL DEFAULT 0,
        booked_revenue_minor bigint NOT NULL DEFAULT 0,
        stayed_rooms         integer NOT NULL DEFAULT 0,
        stayed_revenue_minor bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (tenant_id, property_id, night)
      ) WITH (fillfactor = 50);

      -- A trigger in place of CHECK: the projector upserts differences, and PostgreSQL checks the row that an upsert proposes
      -- (-1 room) before it looks for the row to add it to.
      CREATE FUNCTION app.refuse_negative_occupancy() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'fewer than no rooms on %', NEW.night
          USING ERRCODE = '23514', CONSTRAINT = 'occupancy_nights_not_negative';
      END $$;
      CREATE TRIGGER occupancy_nights_not_negative AFTER INSERT OR UPDATE ON occupancy_nights
        FOR EACH ROW WHEN (NEW.booked_rooms < 0 OR NEW.stayed_rooms < 0) EXECUTE FUNCTION app.refuse_negative_occupancy();

      CREATE TABLE event_log_topics (
        topic text PRIMARY KEY,
        partitions int NOT NULL CHECK (partitions BETWEEN 1 AND 64),
        retention_ms bigint NOT NULL,
        max_message_bytes int NOT NULL
      );
      CREATE TABLE event_log_partitions (
        topic text NOT NULL REFERENCES event_log_topics,
        partition int NOT NULL,
        next_offset bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (topic, partition)
      ) WITH (fillfactor = 10);
      CREATE TABLE event_log_records (
        topic text NOT NULL,
        partition int NOT NULL,
        "offset" bigint NOT NULL,
        key text,
        value bytea,
        headers jsonb NOT NULL,
        appended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (topic, partition, "offset")
      );
      GRANT SELECT, INSERT, UPDATE, DELETE ON event_log_topics, event_log_partitions, event_log_records,
        reservation_event_offsets, outbox_relays TO tartware_worker;
      GRANT SELECT, UPDATE ON outbox_slots TO tartware_worker;

      -- Months are made ahead; the default partition takes what comes unforeseen, so that no write ever fails for want of one.
      CREATE FUNCTION app.ensure_partitions(months_ahead integer DEFAULT 2) RETURNS integer
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
      DECLARE
        parent text; month date; child text; made integer := 0;
      BEGIN
        PERFORM pg_advisory_xact_lock(hashtext('app.ensure_partitions'));
        FOREACH parent IN ARRAY ARRAY['outbox_events', 'event_receipts', 'event_inbox', 'audit_log'] LOOP
          FOR i IN 0..months_ahead LOOP
            month := date_trunc('month', (now() AT TIME ZONE 'UTC'))::date + make_interval(months => i);
            child := format('%s_%s', parent, to_char(month, 'YYYY_MM'));
            IF to_regclass(format('public.%I', child)) IS NULL THEN
              EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', child, parent,
                to_char(month, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(month + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
              EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', child);
              EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', child);
              IF parent IN ('audit_log', 'outbox_events') THEN
                EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I EXECUTE FUNCTION app.refuse_change()',
                  parent || '_no_truncate', child);
              END IF;
              made := made + 1;
            END IF;
          END LOOP;
        END LOOP;
        RETURN made;
      END $$;
      REVOKE ALL ON FUNCTION app.ensure_partitions FROM PUBLIC;
      GRANT EXECUTE ON FUNCTION app.ensure_partitions TO tartware_worker;
    `);
    for (const parent of ['outbox_events', 'event_receipts', 'event_inbox', 'audit_log'])
      await runner.query(`
        CREATE TABLE ${parent}_default PARTITION OF ${parent} DEFAULT;
        ALTER TABLE ${parent}_default ENABLE ROW LEVEL SECURITY;
        ALTER TABLE ${parent}_default FORCE ROW LEVEL SECURITY;`);
    // Row triggers reach the partitions by themselves, those on TRUNCATE don't.
    for (const parent of ['outbox_events', 'audit_log'])
      for (const table of [parent, `${parent}_default`])
        await runner.query(
          `CREATE TRIGGER ${parent}_no_truncate BEFORE TRUNCATE ON ${table} EXECUTE FUNCTION app.refuse_change()`,
        );
    await runner.query(`SELECT app.ensure_partitions(2)`);

    const all = 'SELECT, INSERT, UPDATE, DELETE';
    await runner.query(
      walls({ table: 'outbox_events', grant: 'SELECT, INSERT', background: { grant: 'SELECT' } }),
    );
    await runner.query(walls({ table: 'outbox_queue', grant: 'SELECT, INSERT', background: { grant: all } }));
    await runner.query(walls({ table: 'outbox_blocked_keys', grant: 'SELECT', background: { grant: all } }));
    await runner.query(
      walls({ table: 'event_receipts', grant: 'SELECT', background: { grant: 'SELECT, INSERT' } }),
    );
    await runner.query(
      walls({ table: 'event_inbox', grant: 'SELECT', background: { grant: 'SELECT, INSERT' } }),
    );
    await runner.query(
      walls({ table: 'event_key_marks', grant: 'SELECT', background: { grant: 'SELECT, INSERT, UPDATE' } }),
    );
    await runner.query(
      walls({ table: 'dead_letters', grant: 'SELECT', background: { grant: 'SELECT, INSERT, UPDATE' } }),
    );
    await runner.query(walls({ table: 'audit_log', grant: 'SELECT, INSERT' }));
    await runner.query(
      walls({ table: 'occupancy_nights', grant: 'SELECT', background: { grant: 'SELECT, INSERT, UPDATE' } }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE occupancy_nights, audit_log, dead_letters, reservation_event_offsets, event_key_marks, event_inbox,
        event_receipts, outbox_relays, outbox_slots, outbox_blocked_keys, outbox_queue, outbox_events, event_log_records,
        event_log_partitions, event_log_topics CASCADE;
      DROP FUNCTION app.ensure_partitions;
      DROP FUNCTION app.refuse_negative_occupancy;
    `);
  }
}
