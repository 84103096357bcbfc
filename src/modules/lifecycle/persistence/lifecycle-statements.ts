import { sql } from '../../../platform/database/sql.js';

/** One event with its checkpoints, as it is read. */
export interface EventRow {
  readonly eventId: string;
  readonly type: string;
  readonly keySeq: number;
  readonly correlationId: string;
  readonly actor: string;
  readonly receivedAt: string;
  readonly persistedAt: string;
  readonly publishedAt: string | null;
  readonly consumedAt: string | null;
  readonly appliedAt: string | null;
  readonly deadAt: string | null;
  readonly deadStatus: 'DEAD' | 'PARKED' | null;
  readonly deadCode: string | null;
  readonly deadCause: string | null;
  readonly deadRetries: number | null;
  readonly blockStatus: 'FAILED' | 'DLQ' | 'PARKED' | null;
  readonly blockSeq: number | null;
  readonly blockAttempts: number | null;
  readonly blockCause: string | null;
  readonly blockAt: string | null;
  readonly nextAttemptAt: string | null;
}

const time = (column: string): string =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/** The checkpoints of the events that `choice` picks of `outbox_events e` for the tenant $1 and the aggregate $2. */
const checkpoints = (choice: string): string => `
  SELECT e.event_id AS "eventId", e.event_type AS type, e.key_seq AS "keySeq", e.correlation_id AS "correlationId", e.actor,
         ${time('e.received_at')} AS "receivedAt", ${time('e.occurred_at')} AS "persistedAt",
         ${time('r.published_at')} AS "publishedAt", ${time('i.consumed_at')} AS "consumedAt", ${time('i.applied_at')} AS "appliedAt",
         ${time('d.created_at')} AS "deadAt", d.status AS "deadStatus", d.failure_code AS "deadCode", d.failure_cause AS "deadCause",
         d.retry_count AS "deadRetries", b.status AS "blockStatus", b.key_seq AS "blockSeq", b.attempts AS "blockAttempts",
         b.cause AS "blockCause", ${time('b.updated_at')} AS "blockAt", ${time('b.next_attempt_at')} AS "nextAttemptAt"
    FROM (SELECT * FROM outbox_events e WHERE e.tenant_id = $1 AND e.aggregate_id = $2 ${choice}) e
    LEFT JOIN event_receipts r ON r.tenant_id = e.tenant_id AND r.aggregate_id = e.aggregate_id AND r.key_seq = e.key_seq
      AND r.occurred_at = e.occurred_at
    LEFT JOIN event_inbox i ON i.tenant_id = e.tenant_id AND i.aggregate_id = e.aggregate_id AND i.key_seq = e.key_seq
      AND i.occurred_at = e.occurred_at
    LEFT JOIN LATERAL (
      SELECT * FROM dead_letters d WHERE d.tenant_id = e.tenant_id AND d.aggregate_id = e.aggregate_id AND d.key_seq = e.key_seq
       ORDER BY d.created_at LIMIT 1) d ON true
    LEFT JOIN outbox_blocked_keys b ON b.tenant_id = e.tenant_id AND b.aggregate_id = e.aggregate_id AND b.key_seq <= e.key_seq
      AND r.key_seq IS NULL
   ORDER BY e.key_seq DESC`;

/** Events of an aggregate below version $3, newest first, at most $4. */
export const EVENTS = sql(
  'lifecycle.events',
  checkpoints('AND e.key_seq < $3 ORDER BY e.key_seq DESC LIMIT $4'),
);

/** The first event that isn't applied. */
export const FIRST_OPEN = sql(
  'lifecycle.first_open',
  checkpoints(`AND e.key_seq > coalesce((SELECT m.applied_seq FROM event_key_marks m WHERE m.tenant_id = $1 AND m.aggregate_id = $2), 0)
    ORDER BY e.key_seq LIMIT 1`),
);

/** No row: no such reservation in this tenant. */
export const RESERVATION = sql(
  'lifecycle.reservation',
  `SELECT version FROM reservations WHERE tenant_id = $1 AND reservation_id = $2`,
);
