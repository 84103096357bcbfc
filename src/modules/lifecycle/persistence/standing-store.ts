import { sql } from '../../../platform/database/sql.js';
import type { BackgroundTx } from '../../../platform/database/unit-of-work.js';
import type { AggregateType } from '../../outbox/contract/events.js';
import type { OutboxKey } from '../../outbox/contract/queue-control.js';
import type { LetterStatus } from '../domain/lifecycle-state.js';
import type { Standing } from '../domain/resume-act.js';

/** An event that is not applied, and where it stands. */
export interface OpenEvent extends Standing, OutboxKey {
  readonly occurredAt: string;
  readonly aggregateType: AggregateType;
  readonly letterId: string | null;
  /** Nothing of its key comes before it. */
  readonly first: boolean;
}

/** Events of one key that are looked at: what follows comes when these have moved on. */
const PER_KEY = 500;
/** Keys of one request that are looked at. */
const KEYS = 200;

interface OpenEventRow extends Omit<OpenEvent, 'place' | 'letter'> {
  readonly letter: LetterStatus | null;
  readonly partition: number | null;
  readonly logOffset: number | null;
}

// Row by row by primary key throughout: statements of the loops are planned while tables are empty.
const OPEN_EVENTS = sql(
  'lifecycle.open_events',
  `SELECT k.tenant_id AS "tenantId", k.aggregate_id AS "aggregateId", e.key_seq AS "keySeq", e.aggregate_type AS "aggregateType",
          to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "occurredAt",
          d.dead_letter_id AS "letterId", d.status AS letter, b.status AS blocked, e.key_seq = m.applied_seq + 1 AS first,
          r.partition, r.log_offset AS "logOffset", coalesce(o.next_offset, 0) AS "nextOffset"
     FROM (SELECT DISTINCT tenant_id, aggregate_id FROM unnest($1::uuid[], $2::uuid[]) AS u(tenant_id, aggregate_id)) k
    CROSS JOIN LATERAL (
      SELECT coalesce(max(applied_seq), 0) AS applied_seq FROM event_key_marks m
       WHERE m.tenant_id = k.tenant_id AND m.aggregate_id = k.aggregate_id) m
    CROSS JOIN LATERAL (
      SELECT * FROM outbox_events e
       WHERE e.tenant_id = k.tenant_id AND e.aggregate_id = k.aggregate_id AND e.key_seq > m.applied_seq
       ORDER BY e.key_seq LIMIT ${PER_KEY}) e
     LEFT JOIN LATERAL (
      SELECT partition, log_offset FROM event_receipts r
       WHERE r.tenant_id = e.tenant_id AND r.aggregate_id = e.aggregate_id AND r.key_seq = e.key_seq
         AND r.occurred_at = e.occurred_at AND r.requeued_at IS NULL LIMIT 1) r ON true
     LEFT JOIN LATERAL (
      SELECT dead_letter_id, status FROM dead_letters d
       WHERE d.aggregate_id = e.aggregate_id AND d.tenant_id = e.tenant_id AND d.key_seq = e.key_seq
         AND d.status IN ('DEAD', 'PARKED', 'REPLAYING') ORDER BY created_at LIMIT 1) d ON true
     LEFT JOIN LATERAL (
      SELECT status FROM outbox_blocked_keys b
       WHERE b.tenant_id = e.tenant_id AND b.aggregate_id = e.aggregate_id LIMIT 1) b ON true
     LEFT JOIN LATERAL (
      SELECT next_offset FROM reservation_event_offsets o
       WHERE o.consumer_group = $3 AND o.topic = $4 AND o.partition = r.partition LIMIT 1) o ON true
    ORDER BY k.tenant_id, k.aggregate_id, e.key_seq`,
);

const REQUEST_KEYS = sql(
  'lifecycle.request_keys',
  `WITH request AS MATERIALIZED (
     SELECT aggregate_id FROM outbox_events WHERE correlation_id = $2 AND tenant_id = $1)
   SELECT DISTINCT $1::uuid AS "tenantId", aggregate_id AS "aggregateId" FROM request LIMIT ${KEYS}`,
);

/** Whose offsets count: KAFKA_CONSUMER_GROUP, RESERVATION_TOPIC. */
export interface Reader {
  readonly group: string;
  readonly topic: string;
}

/** The events of these keys that are not applied, by key, in order; of a key the first 500. */
export async function openEvents(
  tx: BackgroundTx,
  { group, topic }: Reader,
  keys: readonly OutboxKey[],
): Promise<OpenEvent[]> {
  if (keys.length === 0) return [];
  const rows = await tx.query<OpenEventRow>(OPEN_EVENTS, [
    keys.map(({ tenantId }) => tenantId),
    keys.map(({ aggregateId }) => aggregateId),
    group,
    topic,
  ]);
  return rows.map(({ partition, logOffset, ...row }) => ({
    ...row,
    place: partition === null ? null : { partition, offset: logOffset! },
  }));
}

/** The keys that a request's events belong to, 200 at most. */
export const keysOfRequest = (
  tx: BackgroundTx,
  tenantId: string,
  correlationId: string,
): Promise<OutboxKey[]> => tx.query<OutboxKey>(REQUEST_KEYS, [tenantId, correlationId]);
