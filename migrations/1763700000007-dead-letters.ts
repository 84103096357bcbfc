import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Dead letters may be patched, replayed and skipped; the database knows which way a letter may go. */
export class DeadLetters1763700000007 implements MigrationInterface {
  readonly name = 'DeadLetters1763700000007';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- DEAD, PARKED: as before. REPLAYING: to be published again, or on its way. RESOLVED: applied by a replay.
      -- SKIPPED: settled without effect; its key's mark has moved past it.
      ALTER TABLE dead_letters
        ADD COLUMN replay_count integer NOT NULL DEFAULT 0 CHECK (replay_count >= 0),
        ADD COLUMN replay_requested_at timestamptz,
        ADD COLUMN replay_published_at timestamptz,
        ADD COLUMN resolved_at timestamptz,
        ADD COLUMN skipped_at timestamptz,
        -- What the log delivered, kept once an operator has patched record_value.
        ADD COLUMN original_value bytea,
        DROP CONSTRAINT dead_letters_status_check,
        ADD CONSTRAINT dead_letters_status_check CHECK (status IN ('DEAD', 'PARKED', 'REPLAYING', 'RESOLVED', 'SKIPPED')),
        ADD CONSTRAINT dead_letters_resolved_check CHECK ((status = 'RESOLVED') = (resolved_at IS NOT NULL)),
        ADD CONSTRAINT dead_letters_skipped_check CHECK ((status = 'SKIPPED') = (skipped_at IS NOT NULL)),
        ADD CONSTRAINT dead_letters_replay_check CHECK ((replay_count > 0) = (replay_requested_at IS NOT NULL));

      -- Led by the aggregate, see outbox_events_correlation; a key with many letters is read by version.
      DROP INDEX dead_letters_key;
      CREATE INDEX dead_letters_key ON dead_letters (aggregate_id, tenant_id, key_seq);
      CREATE INDEX dead_letters_replaying ON dead_letters (aggregate_id, key_seq) WHERE status = 'REPLAYING';
      CREATE INDEX dead_letters_unresolved ON dead_letters (status, created_at) WHERE status <> 'RESOLVED';

      CREATE FUNCTION app.check_dead_letter_move() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF TG_OP = 'INSERT' THEN
          IF NEW.status NOT IN ('DEAD', 'PARKED') OR NEW.replay_count > 0 OR NEW.original_value IS NOT NULL THEN
            RAISE EXCEPTION 'a dead letter begins as DEAD or PARKED'
              USING ERRCODE = '23514', CONSTRAINT = 'dead_letters_moves';
          END IF;
          RETURN NEW;
        END IF;
        IF NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN (
          ('DEAD', 'REPLAYING'), ('PARKED', 'REPLAYING'), ('DEAD', 'SKIPPED'), ('PARKED', 'SKIPPED'),
          ('REPLAYING', 'RESOLVED'), ('REPLAYING', 'DEAD'), ('REPLAYING', 'PARKED')) THEN
          RAISE EXCEPTION 'a dead letter can''t go from % to %', OLD.status, NEW.status
            USING ERRCODE = '23514', CONSTRAINT = 'dead_letters_moves';
        END IF;
        IF NEW.replay_count <> OLD.replay_count + (OLD.status <> 'REPLAYING' AND NEW.status = 'REPLAYING')::int THEN
          RAISE EXCEPTION 'a replay is counted once' USING ERRCODE = '23514', CONSTRAINT = 'dead_letters_replays';
        END IF;
        IF (NEW.tenant_id, NEW.dead_letter_id, NEW.consumer_group, NEW.topic, NEW.partition, NEW.log_offset, NEW.record_key,
            NEW.event_id, NEW.aggregate_id, NEW.key_seq, NEW.occurred_at, NEW.created_at)
           IS DISTINCT FROM
           (OLD.tenant_id, OLD.dead_letter_id, OLD.consumer_group, OLD.topic, OLD.partition, OLD.log_offset, OLD.record_key,
            OLD.event_id, OLD.aggregate_id, OLD.key_seq, OLD.occurred_at, OLD.created_at)
           OR (OLD.resolved_at, OLD.skipped_at) IS DISTINCT FROM
              (CASE WHEN OLD.resolved_at IS NULL THEN NULL ELSE NEW.resolved_at END,
               CASE WHEN OLD.skipped_at IS NULL THEN NULL ELSE NEW.skipped_at END)
           OR (OLD.published_at IS NOT NULL AND NEW.published_at IS DISTINCT FROM OLD.published_at)
           OR (OLD.original_value IS NOT NULL AND NEW.original_value IS DISTINCT FROM OLD.original_value)
           OR (NEW.record_value IS DISTINCT FROM OLD.record_value AND (NEW.original_value IS NULL OR OLD.status NOT IN ('DEAD', 'PARKED')))
        THEN
          RAISE EXCEPTION 'what a dead letter is, and its times, are written once'
            USING ERRCODE = '23514', CONSTRAINT = 'dead_letters_written_once';
        END IF;
        RETURN NEW;
      END $$;
      -- After, so that row-level security has its say first.
      CREATE TRIGGER dead_letters_moves AFTER INSERT OR UPDATE ON dead_letters
        FOR EACH ROW EXECUTE FUNCTION app.check_dead_letter_move();
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TRIGGER dead_letters_moves ON dead_letters;
      DROP FUNCTION app.check_dead_letter_move;
      DROP INDEX dead_letters_unresolved, dead_letters_replaying, dead_letters_key;
      CREATE INDEX dead_letters_key ON dead_letters (aggregate_id, tenant_id);
      -- An older release knows two states; what it would take for open is given up for good.
      DELETE FROM dead_letters WHERE status IN ('RESOLVED', 'SKIPPED');
      UPDATE dead_letters SET status = 'DEAD' WHERE status = 'REPLAYING';
      UPDATE dead_letters SET record_value = original_value WHERE original_value IS NOT NULL;
      ALTER TABLE dead_letters
        DROP CONSTRAINT dead_letters_status_check, DROP CONSTRAINT dead_letters_resolved_check,
        DROP CONSTRAINT dead_letters_skipped_check, DROP CONSTRAINT dead_letters_replay_check,
        DROP COLUMN replay_count, DROP COLUMN replay_requested_at, DROP COLUMN replay_published_at, DROP COLUMN resolved_at,
        DROP COLUMN skipped_at, DROP COLUMN original_value,
        ADD CONSTRAINT dead_letters_status_check CHECK (status IN ('DEAD', 'PARKED'));
    `);
  }
}
