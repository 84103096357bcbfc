import { sql } from '../../../platform/database/sql.js';
import type { BackgroundTx } from '../../../platform/database/unit-of-work.js';
import { priorityOf, slotOf, type AggregateType } from './events.js';

/** A key of the outbox: an aggregate of a tenant. */
export interface OutboxKey {
  readonly tenantId: string;
  readonly aggregateId: string;
}

/** A published event, by the key of its checkpoints. */
export interface PublishedEvent extends OutboxKey {
  readonly keySeq: number;
  /** ISO 8601, UTC, microseconds. */
  readonly occurredAt: string;
  readonly aggregateType: AggregateType;
}

// The slots are locked before anything is looked at: a relay raises low-water marks and clears shelves under the same locks.
const LOCK_SLOTS = sql(
  'outbox.lock_slots',
  `SELECT slot FROM outbox_slots WHERE slot = ANY($1::smallint[]) ORDER BY slot FOR UPDATE`,
);
const UNBLOCK = sql(
  'outbox.unblock_keys',
  `DELETE FROM outbox_blocked_keys b USING unnest($1::uuid[], $2::uuid[]) AS k(tenant_id, aggregate_id)
    WHERE b.tenant_id = k.tenant_id AND b.aggregate_id = k.aggregate_id RETURNING b.tenant_id AS "tenantId", b.aggregate_id AS "aggregateId"`,
);
const UNSHELVE = sql(
  'outbox.unshelve',
  `WITH back AS (
     UPDATE outbox_queue q SET priority = q.priority - 10
       FROM unnest($1::uuid[], $2::uuid[], $3::smallint[]) AS k(tenant_id, aggregate_id, slot)
      WHERE q.slot = k.slot AND q.priority IN (10, 11) AND q.tenant_id = k.tenant_id AND q.aggregate_id = k.aggregate_id
      RETURNING q.slot, q.queue_id)
   UPDATE outbox_slots s SET low_water = least(s.low_water, first.queue_id - 1)
     FROM (SELECT slot, min(queue_id) AS queue_id FROM back GROUP BY slot) first WHERE s.slot = first.slot`,
);
const PARK = sql(
  'outbox.park_keys',
  `INSERT INTO outbox_blocked_keys AS b (tenant_id, aggregate_id, key_seq, status, attempts, cause)
   SELECT q.tenant_id, q.aggregate_id, min(q.key_seq), 'PARKED', 0, $4
     FROM unnest($1::uuid[], $2::uuid[], $3::smallint[]) AS k(tenant_id, aggregate_id, slot)
     JOIN outbox_queue q ON q.slot = k.slot AND q.tenant_id = k.tenant_id AND q.aggregate_id = k.aggregate_id
    GROUP BY 1, 2
   ON CONFLICT (tenant_id, aggregate_id) DO UPDATE SET status = 'PARKED', next_attempt_at = NULL, cause = excluded.cause,
     updated_at = now() WHERE b.status = 'FAILED'
   RETURNING b.tenant_id AS "tenantId", b.aggregate_id AS "aggregateId"`,
);
const LOWER = sql(
  'outbox.forget_low_water',
  `UPDATE outbox_slots SET low_water = 0 WHERE slot = ANY($1::smallint[]) AND low_water > 0`,
);
const AGAIN = sql(
  'outbox.publish_again',
  `WITH again AS (
     UPDATE event_receipts r SET requeued_at = clock_timestamp(), republished = r.republished + 1
       FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::timestamptz[], $5::smallint[], $6::smallint[])
              AS e(tenant_id, aggregate_id, key_seq, occurred_at, slot, priority)
      WHERE r.tenant_id = e.tenant_id AND r.aggregate_id = e.aggregate_id AND r.key_seq = e.key_seq
        AND r.occurred_at = e.occurred_at AND r.requeued_at IS NULL
      RETURNING e.*)
   INSERT INTO outbox_queue (slot, priority, tenant_id, aggregate_id, key_seq, occurred_at)
   SELECT slot, priority, tenant_id, aggregate_id, key_seq, occurred_at FROM again ORDER BY tenant_id, aggregate_id, key_seq
   RETURNING 1`,
);

const slots = (keys: readonly OutboxKey[]): number[] => keys.map(({ aggregateId }) => slotOf(aggregateId));
const columns = (keys: readonly OutboxKey[]): string[][] => [
  keys.map(({ tenantId }) => tenantId),
  keys.map(({ aggregateId }) => aggregateId),
];

/** Lets blocked keys go on, with their tries counted anew. Answers those that were blocked. */
export async function releaseKeys(tx: BackgroundTx, keys: readonly OutboxKey[]): Promise<OutboxKey[]> {
  await tx.query(LOCK_SLOTS, [slots(keys)]);
  const released = await tx.query<OutboxKey>(UNBLOCK, columns(keys));
  await tx.query(UNSHELVE, [...columns(keys), slots(keys)]);
  return released;
}

/** Holds keys back that have events in the queue, until they are released. Answers those; what was given up (DLQ) stays so. */
export async function parkKeys(
  tx: BackgroundTx,
  keys: readonly OutboxKey[],
  cause: string,
): Promise<OutboxKey[]> {
  await tx.query(LOCK_SLOTS, [slots(keys)]);
  return tx.query<OutboxKey>(PARK, [...columns(keys), slots(keys), cause]);
}

/**
 * Makes relays see keys that nothing blocks, whatever hid their events: takes them off the shelf, and the low-water marks of their
 * slots away (relays raise them again).
 */
export async function lookAgain(tx: BackgroundTx, keys: readonly OutboxKey[]): Promise<void> {
  await tx.query(LOCK_SLOTS, [slots(keys)]);
  await tx.query(UNSHELVE, [...columns(keys), slots(keys)]);
  await tx.query(LOWER, [slots(keys)]);
}

/**
 * Queues published events again, in the order of their versions: the log has lost them. Their checkpoint PUBLISHED stays as it was
 * written. Answers how many were queued; what is queued already is not queued twice.
 */
export async function publishAgain(tx: BackgroundTx, events: readonly PublishedEvent[]): Promise<number> {
  const rows = await tx.query(AGAIN, [
    ...columns(events),
    events.map(({ keySeq }) => keySeq),
    events.map(({ occurredAt }) => occurredAt),
    slots(events),
    events.map(({ aggregateType }) => priorityOf(aggregateType)),
  ]);
  return rows.length;
}
