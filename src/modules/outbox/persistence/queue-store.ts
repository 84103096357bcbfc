import { sql } from '../../../platform/database/sql.js';
import type { BackgroundTx, BackgroundWork } from '../../../platform/database/unit-of-work.js';
import type { OutboxEvent } from '../domain/envelope.js';
import type { Refusal } from '../domain/refusal.js';
import type { HeldSlot } from './lease-store.js';

/** An event that the log has, and where. */
export interface SentEvent {
  readonly event: OutboxEvent;
  readonly partition: number;
  readonly offset: bigint;
}

/** An event that the log refused, and what follows. */
export interface RefusedEvent {
  readonly event: OutboxEvent;
  readonly refusal: Refusal;
  readonly cause: string;
}

// From the head of each slot, always: reading on from the last id would lose the rows that commit late. The event is
// fetched by its key, row by row (LIMIT 1 keeps the planner from reading the whole log instead).
const CLAIM = sql(
  'outbox.claim',
  `SELECT q.slot, q.queue_id::text AS "queueId", q.tenant_id AS "tenantId", q.aggregate_id AS "aggregateId",
          q.key_seq AS "keySeq", to_char(q.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "occurredAt",
          e.event_id AS "eventId", e.aggregate_type AS "aggregateType", e.event_type AS type, e.event_version AS version,
          e.data::text AS data, e.correlation_id AS "correlationId", e.traceparent,
          coalesce((SELECT b.attempts FROM outbox_blocked_keys b
                     WHERE b.tenant_id = q.tenant_id AND b.aggregate_id = q.aggregate_id), 0) AS attempts
     FROM unnest($1::smallint[]) AS mine(slot)
    CROSS JOIN LATERAL (
      SELECT * FROM outbox_queue q
       WHERE q.slot = mine.slot AND NOT EXISTS (
         SELECT FROM outbox_blocked_keys b
          WHERE b.tenant_id = q.tenant_id AND b.aggregate_id = q.aggregate_id
            AND (b.status <> 'FAILED' OR b.next_attempt_at > statement_timestamp()))
       ORDER BY q.queue_id LIMIT $2) q
    CROSS JOIN LATERAL (
      SELECT * FROM outbox_events e
       WHERE e.tenant_id = q.tenant_id AND e.aggregate_id = q.aggregate_id AND e.key_seq = q.key_seq
         AND e.occurred_at = q.occurred_at LIMIT 1) e
    ORDER BY q.slot, q.queue_id`,
);

// One statement: owner and epoch of every slot (locked for the moment, so that no lease changes hands between check and
// commit), the queue, the receipts, and the blocks that this success ends.
const ACKNOWLEDGE = sql(
  'outbox.acknowledge',
  `WITH held AS (
     SELECT s.slot FROM outbox_slots s JOIN unnest($2::smallint[], $3::bigint[]) AS mine(slot, epoch) USING (slot)
      WHERE s.owner = $1 AND s.epoch = mine.epoch ORDER BY s.slot FOR SHARE OF s),
   gone AS (
     DELETE FROM outbox_queue q
      USING unnest($4::smallint[], $5::bigint[], $6::int[], $7::bigint[]) AS sent(slot, queue_id, partition, log_offset), held
      WHERE held.slot = sent.slot AND q.slot = sent.slot AND q.queue_id = sent.queue_id
      RETURNING q.tenant_id, q.aggregate_id, q.key_seq, q.occurred_at, sent.partition, sent.log_offset),
   receipts AS (
     INSERT INTO event_receipts (tenant_id, aggregate_id, key_seq, occurred_at, published_at, partition, log_offset)
     SELECT tenant_id, aggregate_id, key_seq, occurred_at, clock_timestamp(), partition, log_offset FROM gone
     ON CONFLICT DO NOTHING),
   unblocked AS (
     DELETE FROM outbox_blocked_keys b USING gone
      WHERE b.status = 'FAILED' AND b.tenant_id = gone.tenant_id AND b.aggregate_id = gone.aggregate_id)
   SELECT slot FROM held`,
);

// An operator's PARKED or DLQ stands over what a relay has to say.
const BLOCK = sql(
  'outbox.block_key',
  `INSERT INTO outbox_blocked_keys AS b (tenant_id, aggregate_id, key_seq, status, attempts, next_attempt_at, cause)
   VALUES ($1, $2, $3, $4, $5, clock_timestamp() + $6 * interval '1 ms', $7)
   ON CONFLICT (tenant_id, aggregate_id) DO UPDATE SET key_seq = excluded.key_seq, status = excluded.status,
     attempts = excluded.attempts, next_attempt_at = excluded.next_attempt_at, cause = excluded.cause, updated_at = now()
   WHERE b.status = 'FAILED'`,
);

const DEPTH = sql(
  'outbox.depth',
  `SELECT count(*)::int AS depth, coalesce(extract(epoch FROM clock_timestamp() - min(occurred_at)), 0)::float8 AS "oldestSeconds"
     FROM outbox_queue`,
);

/** The hot queue, as a relay uses it. */
export class QueueStore {
  constructor(private readonly work: BackgroundWork) {}

  /** At most `limit` events from the head of each slot, in order, without the keys that wait or stand still. */
  claim(slots: readonly number[], limit: number): Promise<OutboxEvent[]> {
    return this.work.query<OutboxEvent>(CLAIM, [slots, limit]);
  }

  /**
   * Takes what was sent out of the queue and writes its receipts; blocks the keys of what was refused. Of the slots that
   * meanwhile went to another relay nothing is touched: their rows stay, and are sent again by their owner.
   * @returns the slots that were still held
   */
  async acknowledge(
    owner: string,
    held: readonly HeldSlot[],
    sent: readonly SentEvent[],
    refused: readonly RefusedEvent[],
  ): Promise<Set<number>> {
    const values = [
      owner,
      held.map(({ slot }) => slot),
      held.map(({ epoch }) => epoch),
      sent.map(({ event }) => event.slot),
      sent.map(({ event }) => event.queueId),
      sent.map(({ partition }) => partition),
      sent.map(({ offset }) => offset.toString()),
    ];
    if (refused.length === 0) return slotsOf(await this.work.query<{ slot: number }>(ACKNOWLEDGE, values));
    return this.work.run('outbox.acknowledge', async (tx) => {
      const still = slotsOf(await tx.query<{ slot: number }>(ACKNOWLEDGE, values));
      for (const one of refused) if (still.has(one.event.slot)) await block(tx, one);
      return still;
    });
  }

  /** Events that wait, and the age of the oldest in seconds. */
  async depth(): Promise<{ readonly depth: number; readonly oldestSeconds: number }> {
    const rows = await this.work.query<{ depth: number; oldestSeconds: number }>(DEPTH, []);
    return rows[0] ?? { depth: 0, oldestSeconds: 0 };
  }
}

const slotsOf = (rows: readonly { slot: number }[]): Set<number> => new Set(rows.map(({ slot }) => slot));

/** In the acknowledgement's transaction, whose locks on the slots it needs. */
async function block(tx: BackgroundTx, { event, refusal, cause }: RefusedEvent): Promise<void> {
  await tx.query(BLOCK, [
    event.tenantId,
    event.aggregateId,
    event.keySeq,
    refusal.status,
    refusal.attempts,
    refusal.retryAfterMs,
    cause,
  ]);
}
