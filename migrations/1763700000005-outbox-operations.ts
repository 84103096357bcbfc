import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What operators and auditors do with the outbox: priorities, shelves, dedupe keys, publishing again, statuses. */
export class OutboxOperations1763700000005 implements MigrationInterface {
  readonly name = 'OutboxOperations1763700000005';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- 0 before 1; by the aggregate's type, so that a key never has two. 10 and 11: on the shelf, since the key is blocked; no
      -- relay reads on from there until it is released.
      ALTER TABLE outbox_queue
        ADD priority smallint NOT NULL DEFAULT 0 CHECK (priority IN (0, 1, 10, 11)),
        ADD dedupe_key text CHECK (length(dedupe_key) BETWEEN 1 AND 200);
      -- Below it nothing of the slot is queued nor can still be committed: a claim needn't wade through what vacuum has not
      -- yet cleared away.
      ALTER TABLE outbox_slots ADD low_water bigint NOT NULL DEFAULT 0 CHECK (low_water >= 0);
      GRANT SELECT ON SEQUENCE outbox_queue_queue_id_seq TO tartware_worker;

      -- published_at is written once; the place changes when a record that the log lost is published again.
      ALTER TABLE event_receipts
        ADD republished integer NOT NULL DEFAULT 0 CHECK (republished >= 0),
        ADD requeued_at timestamptz;
      GRANT UPDATE (partition, log_offset, republished, requeued_at) ON event_receipts TO tartware_worker;
      CREATE POLICY event_receipts_background_update ON event_receipts FOR UPDATE TO tartware_worker
        USING (true) WITH CHECK (true);

      -- What an operator calls the state of an event. IN_PROGRESS is derived from the slot's lease, and so never goes stale.
      CREATE VIEW outbox_status WITH (security_invoker = true) AS
      SELECT q.tenant_id, q.aggregate_id, q.key_seq, q.occurred_at, q.slot, q.queue_id, q.dedupe_key,
             CASE
               WHEN b.key_seq = q.key_seq THEN b.status
               WHEN b.status IN ('DLQ', 'PARKED') THEN 'PARKED'
               WHEN s.lease_until > clock_timestamp() THEN 'IN_PROGRESS'
               ELSE 'PENDING'
             END AS status,
             CASE WHEN b.key_seq = q.key_seq THEN b.attempts ELSE 0 END AS attempts,
             CASE WHEN b.key_seq = q.key_seq THEN b.next_attempt_at END AS next_attempt_at,
             b.cause
        FROM outbox_queue q
        JOIN outbox_slots s ON s.slot = q.slot
        LEFT JOIN outbox_blocked_keys b ON b.tenant_id = q.tenant_id AND b.aggregate_id = q.aggregate_id
      UNION ALL
      SELECT r.tenant_id, r.aggregate_id, r.key_seq, r.occurred_at, NULL, NULL, NULL, 'DELIVERED', 0, NULL, NULL
        FROM event_receipts r WHERE r.requeued_at IS NULL;
      GRANT SELECT ON outbox_status TO tartware_worker;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP VIEW outbox_status;
      DROP POLICY event_receipts_background_update ON event_receipts;
      REVOKE UPDATE (partition, log_offset, republished, requeued_at) ON event_receipts FROM tartware_worker;
      REVOKE SELECT ON SEQUENCE outbox_queue_queue_id_seq FROM tartware_worker;
      ALTER TABLE event_receipts DROP republished, DROP requeued_at;
      ALTER TABLE outbox_slots DROP low_water;
      ALTER TABLE outbox_queue DROP priority, DROP dedupe_key;
    `);
  }
}
