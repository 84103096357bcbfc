import type { MigrationInterface, QueryRunner } from 'typeorm';
import { walls } from './sql.js';

/**
 * What the flow auditor remembers, what operators ask it for, what the probes read; checkpoints that nobody rewrites. Its one
 * index on a table that may be large is built CONCURRENTLY, which allows no transaction; run again, it goes on where it broke.
 */
export class Lifecycle1763700000010 implements MigrationInterface {
  readonly name = 'Lifecycle1763700000010';
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    const made = (await runner.query(`SELECT to_regclass('public.lifecycle_stalls') AS found`)) as {
      found: string | null;
    }[];
    if (!made[0]?.found) {
      await runner.startTransaction();
      try {
        await runner.query(TABLES);
        await runner.commitTransaction();
      } catch (error) {
        await runner.rollbackTransaction();
        throw error;
      }
    }
    await indexReceipts(runner);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP INDEX event_receipts_published;
      DROP TRIGGER event_receipts_written_once ON event_receipts;
      DROP TRIGGER event_inbox_written_once ON event_inbox;
      DROP TRIGGER event_key_marks_forward ON event_key_marks;
      DROP TABLE lifecycle_resumptions, lifecycle_stalls, lifecycle_cursors, reliability_figures;
      DROP FUNCTION app.refuse_receipt_change, app.refuse_mark_change, app.refuse_resumption_change;
    `);
  }
}

const TABLES = `
  -- What stands still: remembered from when it is found until it moves on.
  CREATE TABLE lifecycle_stalls (
    tenant_id    uuid NOT NULL,
    aggregate_id uuid NOT NULL,
    key_seq      integer NOT NULL,
    occurred_at  timestamptz NOT NULL,
    -- PERSISTED, PUBLISHED: the checkpoint it stands at. PARKED: behind nothing, or by hand. DLQ: the relay gave it up.
    state        text NOT NULL CHECK (state IN ('PERSISTED', 'PUBLISHED', 'PARKED', 'DLQ')),
    since        timestamptz NOT NULL,
    found_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    tries        integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    last_act     text CHECK (last_act IN ('WAKE', 'RELEASE', 'PUBLISH_AGAIN', 'REPLAY')),
    last_act_at  timestamptz,
    next_look_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    exhausted_at timestamptz,
    PRIMARY KEY (tenant_id, aggregate_id, key_seq),
    CHECK ((tries = 0) = (last_act IS NULL) AND (last_act IS NULL) = (last_act_at IS NULL))
  );
  CREATE INDEX lifecycle_stalls_due ON lifecycle_stalls (next_look_at);

  -- How far the auditor has looked through what was published, by partition of the log.
  CREATE TABLE lifecycle_cursors (
    topic           text NOT NULL,
    partition       integer NOT NULL,
    published_until timestamptz NOT NULL,
    PRIMARY KEY (topic, partition)
  );
  GRANT SELECT, INSERT, UPDATE ON lifecycle_cursors TO tartware_worker;

  -- An operator's request to go on from the last checkpoint; a worker does it, as the role that may.
  CREATE TABLE lifecycle_resumptions (
    tenant_id      uuid NOT NULL,
    resumption_id  uuid NOT NULL,
    subject_type   text NOT NULL CHECK (subject_type IN ('request', 'reservation')),
    subject_id     uuid NOT NULL,
    reason         text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    actor          text NOT NULL,
    source         text NOT NULL,
    ip             inet,
    correlation_id uuid NOT NULL,
    requested_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    outcome        json,
    done_at        timestamptz,
    PRIMARY KEY (tenant_id, resumption_id),
    CHECK ((outcome IS NULL) = (done_at IS NULL))
  );
  CREATE INDEX lifecycle_resumptions_subject ON lifecycle_resumptions (subject_id, tenant_id, requested_at);
  CREATE INDEX lifecycle_resumptions_open ON lifecycle_resumptions (requested_at) WHERE done_at IS NULL;

  -- The last figures of the reliable path, across tenants: numbers, for the probe of any process. One row.
  CREATE TABLE reliability_figures (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    measured_at timestamptz NOT NULL,
    figures     json NOT NULL
  );
  GRANT SELECT ON reliability_figures TO tartware_app, tartware_worker;
  GRANT INSERT, UPDATE ON reliability_figures TO tartware_worker;

  ${walls({ table: 'lifecycle_stalls', grant: 'SELECT', background: { grant: 'SELECT, INSERT, UPDATE, DELETE' } })}
  ${walls({ table: 'lifecycle_resumptions', grant: 'SELECT, INSERT', background: { grant: 'SELECT, UPDATE' } })}
  REVOKE UPDATE ON lifecycle_resumptions FROM tartware_worker;
  GRANT UPDATE (outcome, done_at) ON lifecycle_resumptions TO tartware_worker;

  -- Grants keep our roles from rewriting a checkpoint; these keep everybody else.
  CREATE FUNCTION app.refuse_receipt_change() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION 'event_receipts is append-only, but for the place of a record that is published again'
      USING ERRCODE = '42501';
  END $$;
  CREATE TRIGGER event_receipts_written_once BEFORE UPDATE ON event_receipts FOR EACH ROW
    WHEN ((NEW.tenant_id, NEW.aggregate_id, NEW.key_seq, NEW.occurred_at, NEW.published_at)
            IS DISTINCT FROM (OLD.tenant_id, OLD.aggregate_id, OLD.key_seq, OLD.occurred_at, OLD.published_at)
          OR NEW.republished < OLD.republished
          OR (OLD.requeued_at IS NULL AND NEW.requeued_at IS NOT NULL AND NEW.republished <> OLD.republished + 1))
    EXECUTE FUNCTION app.refuse_receipt_change();
  CREATE TRIGGER event_inbox_written_once BEFORE UPDATE ON event_inbox
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();

  CREATE FUNCTION app.refuse_mark_change() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION 'event_key_marks is append-only: what was applied stays applied' USING ERRCODE = '42501';
  END $$;
  CREATE TRIGGER event_key_marks_forward BEFORE UPDATE ON event_key_marks FOR EACH ROW
    WHEN (NEW.applied_seq < OLD.applied_seq
          OR (NEW.tenant_id, NEW.aggregate_id) IS DISTINCT FROM (OLD.tenant_id, OLD.aggregate_id))
    EXECUTE FUNCTION app.refuse_mark_change();

  CREATE FUNCTION app.refuse_resumption_change() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION 'lifecycle_resumptions is append-only, but for an outcome, once' USING ERRCODE = '42501';
  END $$;
  CREATE TRIGGER lifecycle_resumptions_done_once BEFORE UPDATE ON lifecycle_resumptions FOR EACH ROW
    WHEN (OLD.done_at IS NOT NULL OR NEW.done_at IS NULL
          OR (NEW.tenant_id, NEW.resumption_id, NEW.subject_type, NEW.subject_id, NEW.reason, NEW.actor, NEW.source, NEW.ip,
              NEW.correlation_id, NEW.requested_at)
             IS DISTINCT FROM
             (OLD.tenant_id, OLD.resumption_id, OLD.subject_type, OLD.subject_id, OLD.reason, OLD.actor, OLD.source, OLD.ip,
              OLD.correlation_id, OLD.requested_at))
    EXECUTE FUNCTION app.refuse_resumption_change();
  CREATE TRIGGER lifecycle_resumptions_no_delete BEFORE DELETE ON lifecycle_resumptions
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
`;

/** The auditor reads receipts by partition of the log, in the order in which they were written. */
async function indexReceipts(runner: QueryRunner): Promise<void> {
  const columns = '(partition, published_at)';
  await runner.query(`CREATE INDEX IF NOT EXISTS event_receipts_published ON ONLY event_receipts ${columns}`);
  // From here on a new month's partition gets its index by itself.
  const partitions = (await runner.query(`
    SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'event_receipts'::regclass AND NOT EXISTS (
       SELECT FROM pg_index x JOIN pg_inherits a ON a.inhrelid = x.indexrelid
        WHERE x.indrelid = c.oid AND a.inhparent = 'event_receipts_published'::regclass)`)) as {
    name: string;
  }[];
  for (const { name } of partitions) {
    const index = `${name}_published`;
    const [broken] = (await runner.query(
      `SELECT FROM pg_index WHERE indexrelid = to_regclass('public.${index}') AND NOT indisvalid`,
    )) as object[];
    if (broken) await runner.query(`DROP INDEX CONCURRENTLY ${index}`);
    await runner.query(`CREATE INDEX CONCURRENTLY IF NOT EXISTS ${index} ON ${name} ${columns}`);
    await runner.query(`ALTER INDEX event_receipts_published ATTACH PARTITION ${index}`);
  }
}
