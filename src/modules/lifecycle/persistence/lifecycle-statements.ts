import { sql } from '../../../platform/database/sql.js';
import type { LetterStatus } from '../domain/lifecycle-state.js';

/** One event with its checkpoints, as it is read. */
export interface EventRow {
  readonly eventId: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly type: string;
  readonly keySeq: number;
  readonly correlationId: string;
  readonly actor: string;
  readonly receivedAt: string;
  readonly persistedAt: string;
  readonly publishedAt: string | null;
  readonly consumedAt: string | null;
  readonly appliedAt: string | null;
  readonly skippedAt: string | null;
  readonly deadAt: string | null;
  readonly deadStatus: LetterStatus | 'RESOLVED' | 'SKIPPED' | null;
  readonly deadCode: string | null;
  readonly deadCause: string | null;
  readonly deadRetries: number | null;
  readonly blockStatus: 'FAILED' | 'DLQ' | 'PARKED' | null;
  readonly blockSeq: number | null;
  readonly blockAttempts: number | null;
  readonly blockCause: string | null;
  readonly blockAt: string | null;
  readonly nextAttemptAt: string | null;
  /** When the auditor found it standing still. */
  readonly stalledAt: string | null;
  readonly stallTries: number | null;
}

const time = (column: string): string =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

const COLUMNS = `
  e.event_id AS "eventId", e.aggregate_type AS "aggregateType", e.aggregate_id AS "aggregateId", e.event_type AS type,
  e.key_seq AS "keySeq", e.correlation_id AS "correlationId", e.actor,
  ${time('e.received_at')} AS "receivedAt", ${time('e.occurred_at')} AS "persistedAt",
  ${time('r.published_at')} AS "publishedAt", ${time('i.consumed_at')} AS "consumedAt", ${time('i.applied_at')} AS "appliedAt",
  ${time('d.skipped_at')} AS "skippedAt", ${time('d.created_at')} AS "deadAt", d.status AS "deadStatus",
  d.failure_code AS "deadCode", d.failure_cause AS "deadCause", d.retry_count AS "deadRetries",
  b.status AS "blockStatus", b.key_seq AS "blockSeq", b.attempts AS "blockAttempts", b.cause AS "blockCause",
  ${time('b.updated_at')} AS "blockAt", ${time('b.next_attempt_at')} AS "nextAttemptAt",
  ${time('s.found_at')} AS "stalledAt", s.tries AS "stallTries"`;

// Row by row: to a plan that was made while these tables were empty, a hash join over all of them looks as good.
const CHECKPOINTS = `
    LEFT JOIN LATERAL (SELECT * FROM event_receipts r WHERE r.tenant_id = e.tenant_id AND r.aggregate_id = e.aggregate_id
      AND r.key_seq = e.key_seq AND r.occurred_at = e.occurred_at LIMIT 1) r ON true
    LEFT JOIN LATERAL (SELECT * FROM event_inbox i WHERE i.tenant_id = e.tenant_id AND i.aggregate_id = e.aggregate_id
      AND i.key_seq = e.key_seq AND i.occurred_at = e.occurred_at LIMIT 1) i ON true
    LEFT JOIN LATERAL (SELECT * FROM dead_letters d WHERE d.tenant_id = e.tenant_id AND d.aggregate_id = e.aggregate_id
      AND d.key_seq = e.key_seq ORDER BY d.created_at LIMIT 1) d ON true
    LEFT JOIN LATERAL (SELECT * FROM outbox_blocked_keys b WHERE b.tenant_id = e.tenant_id AND b.aggregate_id = e.aggregate_id
      AND b.key_seq <= e.key_seq AND r.key_seq IS NULL LIMIT 1) b ON true
    LEFT JOIN LATERAL (SELECT * FROM lifecycle_stalls s WHERE s.tenant_id = e.tenant_id AND s.aggregate_id = e.aggregate_id
      AND s.key_seq = e.key_seq LIMIT 1) s ON true`;

/** The checkpoints of the events that `choice` picks of `outbox_events e` for the tenant $1 and the aggregate $2. */
const ofAggregate = (choice: string): string => `
  SELECT ${COLUMNS}
    FROM (SELECT * FROM outbox_events e WHERE e.tenant_id = $1 AND e.aggregate_id = $2 ${choice}) e ${CHECKPOINTS}
   ORDER BY e.key_seq DESC`;

/** Events of an aggregate below version $3, newest first, at most $4. */
export const EVENTS = sql(
  'lifecycle.events',
  ofAggregate('AND e.key_seq < $3 ORDER BY e.key_seq DESC LIMIT $4'),
);

/** The first event that isn't applied. */
export const FIRST_OPEN = sql(
  'lifecycle.first_open',
  ofAggregate(`AND e.key_seq > coalesce((SELECT m.applied_seq FROM event_key_marks m WHERE m.tenant_id = $1 AND m.aggregate_id = $2), 0)
    ORDER BY e.key_seq LIMIT 1`),
);

/** The version up to which a reservation's events are applied. No row: no such reservation in this tenant. */
export const RESERVATION = sql(
  'lifecycle.reservation',
  `SELECT coalesce(m.applied_seq, 0) AS "appliedSeq"
     FROM reservations r LEFT JOIN event_key_marks m ON m.tenant_id = $1 AND m.aggregate_id = $2
    WHERE r.tenant_id = $1 AND r.reservation_id = $2`,
);

// By the correlation id first: to a plan made while the table was empty the primary key, which begins with the tenant, is as
// good, and reads all of the tenant's events. The materialized list keeps the order and the rest of the conditions behind it.
const OF_REQUEST = `WITH request AS MATERIALIZED (
     SELECT * FROM outbox_events WHERE correlation_id = $2 AND tenant_id = $1)`;

/** Events of the request $2 of the tenant $1 after ($3, $4, $5), in the order in which they were made, at most $6. */
export const REQUEST_EVENTS = sql(
  'lifecycle.request_events',
  `${OF_REQUEST}
   SELECT ${COLUMNS}
     FROM (SELECT * FROM request WHERE (occurred_at, aggregate_id, key_seq) > ($3::timestamptz, $4::uuid, $5::int)
            ORDER BY occurred_at, aggregate_id, key_seq LIMIT $6) e ${CHECKPOINTS}
    ORDER BY e.occurred_at, e.aggregate_id, e.key_seq`,
);

/** The least advanced event of the request, as `stateOf` ranks them; of equals the first. */
export const REQUEST_LEAST = sql(
  'lifecycle.request_least',
  `${OF_REQUEST}
   SELECT ${COLUMNS} FROM request e ${CHECKPOINTS}
    ORDER BY CASE WHEN i.applied_at IS NOT NULL THEN 6 WHEN d.skipped_at IS NOT NULL THEN 5
                  WHEN d.created_at IS NOT NULL OR (b.status = 'DLQ' AND b.key_seq = e.key_seq) THEN 4
                  WHEN i.consumed_at IS NOT NULL THEN 3 WHEN r.published_at IS NOT NULL THEN 2 ELSE 1 END,
             e.occurred_at, e.aggregate_id, e.key_seq LIMIT 1`,
);

/** A row: the tenant $1 has events of the request $2. */
export const REQUEST = sql(
  'lifecycle.request',
  `SELECT correlation_id AS id FROM outbox_events WHERE correlation_id = $2 AND tenant_id = $1 LIMIT 1`,
);
