import { sql } from '../../../platform/database/sql.js';
import type { BackgroundTx } from '../../../platform/database/unit-of-work.js';
import type { OutboxKey } from '../../outbox/contract/queue-control.js';
import { queueHeads } from '../../outbox/contract/queue-heads.js';
import type { ResumeAct } from '../domain/resume-act.js';
import type { Reader } from './standing-store.js';

/** Where an event stands still. */
export type StallState = 'PERSISTED' | 'PUBLISHED' | 'PARKED' | 'DLQ';

/** An event that stands still. */
export interface Stall extends OutboxKey {
  readonly keySeq: number;
  readonly occurredAt: string;
  readonly state: StallState;
  /** ISO 8601: since its last checkpoint, or since it was held back. */
  readonly since: string;
}

/** A stall that is due for another look. */
export interface DueStall extends OutboxKey {
  readonly keySeq: number;
  readonly state: StallState;
  readonly tries: number;
}

/** What a look at a stall led to. */
export interface Looked extends DueStall {
  /** Null: nothing was done. */
  readonly act: ResumeAct | null;
  /** True: it was resumed to the last try, in vain. */
  readonly exhausted: boolean;
}

/** Stalls that are remembered; beyond, the auditor only counts on. More are one outage, and not so many cases. */
export const MAX_STALLS = 10_000;
/** Heads of a slot and priority that one look takes: a tenant each. */
const TENANTS = 64;

const iso = (column: string): string =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
const STALL = (event: string): string =>
  `${event}.tenant_id AS "tenantId", ${event}.aggregate_id AS "aggregateId", ${event}.key_seq AS "keySeq"`;

// One auditor at a time: the others' look is over at once.
const LOCK = sql(
  'lifecycle.auditor_lock',
  `SELECT pg_try_advisory_xact_lock(hashtext('lifecycle.auditor')) AS mine,
          (clock_timestamp() - $1 * interval '1 ms')::text AS before`,
);

// The first row of each tenant's queue, by a descent into the index for each, however many wait behind it: nobody is served
// before it but those whose keys wait for their next try.
const HEADS = sql(
  'lifecycle.queue_heads',
  `SELECT ${STALL('h')}, ${iso('h.occurred_at')} AS "occurredAt", 'PERSISTED' AS state, ${iso('h.occurred_at')} AS since,
          h.tenant_id AS tenant, h.place = ${TENANTS} AS full, stalled
     FROM generate_series(0, 15) AS s(slot) CROSS JOIN unnest('{0,1,10,11}'::smallint[]) AS p(priority)
    CROSS JOIN LATERAL (
      ${queueHeads({ slot: 's.slot', priority: 'p.priority', tenants: '> $1', columns: ['aggregate_id', 'key_seq', 'occurred_at'] })}
      SELECT *, row_number() OVER () AS place FROM (SELECT * FROM head LIMIT ${TENANTS}) l) h
    CROSS JOIN LATERAL (
      SELECT h.occurred_at < clock_timestamp() - $2 * interval '1 ms'
         AND NOT EXISTS (SELECT FROM outbox_blocked_keys b
                          WHERE b.tenant_id = h.tenant_id AND b.aggregate_id = h.aggregate_id
                            AND (b.status <> 'FAILED' OR b.next_attempt_at > clock_timestamp() - $2 * interval '1 ms'))
         -- Published before, and waiting to be so again: remembered as such.
         AND NOT EXISTS (SELECT FROM event_receipts r
                          WHERE r.tenant_id = h.tenant_id AND r.aggregate_id = h.aggregate_id AND r.key_seq = h.key_seq
                            AND r.occurred_at = h.occurred_at) AS stalled) j
    WHERE stalled OR h.place = ${TENANTS}`,
);
const HELD = sql(
  'lifecycle.held_keys',
  `SELECT ${STALL('b')}, ${iso('e.occurred_at')} AS "occurredAt", b.status AS state, ${iso('b.updated_at')} AS since
     FROM outbox_blocked_keys b
    CROSS JOIN LATERAL (
      SELECT occurred_at FROM outbox_events e
       WHERE e.tenant_id = b.tenant_id AND e.aggregate_id = b.aggregate_id AND e.key_seq = b.key_seq LIMIT 1) e
    WHERE b.status IN ('PARKED', 'DLQ') AND NOT EXISTS (
      SELECT FROM lifecycle_stalls s WHERE s.tenant_id = b.tenant_id AND s.aggregate_id = b.aggregate_id
         AND s.key_seq = b.key_seq AND s.state = b.status)
    LIMIT $1`,
);
// Parked behind nothing: whoever moved the key's mark did not see it.
const PARKED = sql(
  'lifecycle.parked_letters',
  `SELECT ${STALL('d')}, ${iso('d.occurred_at')} AS "occurredAt", 'PARKED' AS state, ${iso('d.created_at')} AS since
     FROM dead_letters d
    WHERE d.status = 'PARKED' AND d.created_at < clock_timestamp() - $1 * interval '1 ms'
      AND d.key_seq = 1 + coalesce((SELECT applied_seq FROM event_key_marks m
                                     WHERE m.tenant_id = d.tenant_id AND m.aggregate_id = d.aggregate_id), 0)
    ORDER BY d.created_at LIMIT $2`,
);
const CURSORS = sql(
  'lifecycle.cursors',
  `SELECT o.partition, o.next_offset AS "nextOffset", coalesce(c.published_until, '-infinity')::text AS until
     FROM (SELECT p.partition, coalesce(o.next_offset, 0) AS next_offset
             FROM generate_series(0, $3::int - 1) AS p(partition)
             LEFT JOIN reservation_event_offsets o ON o.consumer_group = $1 AND o.topic = $2 AND o.partition = p.partition) o
     LEFT JOIN lifecycle_cursors c ON c.topic = $2 AND c.partition = o.partition
    ORDER BY o.partition`,
);
// What was published of a partition, in its order, from where the last look ended; of it only what is neither applied nor dead.
const PUBLISHED = sql(
  'lifecycle.published',
  `WITH batch AS MATERIALIZED (
     SELECT r.tenant_id, r.aggregate_id, r.key_seq, r.occurred_at, r.published_at, r.log_offset, r.requeued_at
       FROM event_receipts r
      WHERE r.partition = $1 AND r.published_at > $2::timestamptz AND r.published_at < $3::timestamptz
      ORDER BY r.published_at FETCH FIRST $4 ROWS WITH TIES)
   SELECT t.n, t.until::text AS until, u.* FROM (SELECT count(*)::int AS n, max(published_at) AS until FROM batch) t
     LEFT JOIN LATERAL (
      SELECT ${STALL('b')}, ${iso('b.occurred_at')} AS "occurredAt", 'PUBLISHED' AS state, ${iso('b.published_at')} AS since,
             b.log_offset AS "logOffset"
        FROM batch b
       WHERE b.requeued_at IS NULL
         AND b.key_seq > coalesce((SELECT applied_seq FROM event_key_marks m
                                    WHERE m.tenant_id = b.tenant_id AND m.aggregate_id = b.aggregate_id), 0)
         AND NOT EXISTS (SELECT FROM dead_letters d
                          WHERE d.aggregate_id = b.aggregate_id AND d.tenant_id = b.tenant_id AND d.key_seq = b.key_seq)
       ORDER BY b.published_at) u ON true`,
);
const MOVE_CURSOR = sql(
  'lifecycle.move_cursor',
  `INSERT INTO lifecycle_cursors AS c (topic, partition, published_until) VALUES ($1, $2, $3::timestamptz - $4 * interval '1 microsecond')
   ON CONFLICT (topic, partition) DO UPDATE SET published_until = greatest(c.published_until, excluded.published_until)`,
);
const REMEMBER = sql(
  'lifecycle.remember_stalls',
  `INSERT INTO lifecycle_stalls AS s (tenant_id, aggregate_id, key_seq, occurred_at, state, since, next_look_at)
   SELECT DISTINCT ON (tenant_id, aggregate_id, key_seq) f.*, clock_timestamp() + $7 * interval '1 ms' FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::timestamptz[], $5::text[], $6::timestamptz[])
     AS f(tenant_id, aggregate_id, key_seq, occurred_at, state, since)
   ON CONFLICT (tenant_id, aggregate_id, key_seq) DO UPDATE SET state = excluded.state, since = excluded.since,
     found_at = excluded.found_at, tries = 0, last_act = NULL, last_act_at = NULL, exhausted_at = NULL,
     next_look_at = excluded.next_look_at
   WHERE s.state <> excluded.state
   RETURNING ${STALL('s')}, ${iso('s.occurred_at')} AS "occurredAt", s.state, ${iso('s.since')} AS since`,
);
const FORGET_MOVED = sql(
  'lifecycle.forget_moved',
  `DELETE FROM lifecycle_stalls s
    WHERE s.key_seq <= coalesce((SELECT applied_seq FROM event_key_marks m
                                  WHERE m.tenant_id = s.tenant_id AND m.aggregate_id = s.aggregate_id), 0)
       OR CASE WHEN s.state = 'PUBLISHED' THEN EXISTS (
                 SELECT FROM dead_letters d
                  WHERE d.aggregate_id = s.aggregate_id AND d.tenant_id = s.tenant_id AND d.key_seq = s.key_seq)
               ELSE EXISTS (
                 SELECT FROM event_receipts r
                  WHERE r.tenant_id = s.tenant_id AND r.aggregate_id = s.aggregate_id AND r.key_seq = s.key_seq
                    AND r.occurred_at = s.occurred_at AND r.requeued_at IS NULL)
                AND NOT EXISTS (
                 SELECT FROM dead_letters d
                  WHERE d.aggregate_id = s.aggregate_id AND d.tenant_id = s.tenant_id AND d.key_seq = s.key_seq
                    AND d.status = 'PARKED') END`,
);
const COUNT = sql('lifecycle.count_stalls', `SELECT count(*)::int AS n FROM lifecycle_stalls`);
const DUE = sql(
  'lifecycle.due_stalls',
  `SELECT ${STALL('s')}, s.state, s.tries FROM lifecycle_stalls s
    WHERE s.next_look_at <= clock_timestamp() AND s.exhausted_at IS NULL ORDER BY s.next_look_at LIMIT $1 FOR UPDATE`,
);
const LOOKED = sql(
  'lifecycle.looked_at_stalls',
  `UPDATE lifecycle_stalls s SET tries = s.tries + (l.act IS NOT NULL)::int, last_act = coalesce(l.act, s.last_act),
          last_act_at = CASE WHEN l.act IS NULL THEN s.last_act_at ELSE clock_timestamp() END,
          exhausted_at = CASE WHEN l.exhausted THEN clock_timestamp() END,
          next_look_at = clock_timestamp() + l.after_ms * interval '1 ms'
     FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::boolean[], $6::int[])
            AS l(tenant_id, aggregate_id, key_seq, act, exhausted, after_ms)
    WHERE s.tenant_id = l.tenant_id AND s.aggregate_id = l.aggregate_id AND s.key_seq = l.key_seq`,
);
const FORGET_KEYS = sql(
  'lifecycle.forget_stalls_of_keys',
  `DELETE FROM lifecycle_stalls s USING unnest($1::uuid[], $2::uuid[]) AS k(tenant_id, aggregate_id)
    WHERE s.tenant_id = k.tenant_id AND s.aggregate_id = k.aggregate_id`,
);

/** Takes the turn to the end of the transaction; answers the time `beforeMs` ago, or null when another auditor has it. */
export async function takeTurn(tx: BackgroundTx, beforeMs: number): Promise<string | null> {
  const [row] = await tx.query<{ mine: boolean; before: string }>(LOCK, [beforeMs]);
  return row!.mine ? row!.before : null;
}

/** Events that are not in the log after `afterMs`: heads of queues. `from` and `further`: a tenant, null when all were seen. */
export async function persistedStalls(
  tx: BackgroundTx,
  from: string,
  afterMs: number,
): Promise<{ readonly stalls: Stall[]; readonly further: string | null }> {
  const rows = await tx.query<Stall & { tenant: string; full: boolean; stalled: boolean }>(HEADS, [
    from,
    afterMs,
  ]);
  const ends = rows.filter(({ full }) => full).map(({ tenant }) => tenant);
  const further = ends.length === 0 ? null : ends.reduce((least, one) => (one < least ? one : least));
  return { stalls: rows.filter(({ stalled }) => stalled), further };
}

/** Keys that the relay holds back until somebody releases them, and that are not remembered. */
export const heldStalls = (tx: BackgroundTx, limit: number): Promise<Stall[]> =>
  tx.query<Stall>(HELD, [limit]);

/** Parked dead letters that nothing stands before. */
export const parkedStalls = (tx: BackgroundTx, afterMs: number, limit: number): Promise<Stall[]> =>
  tx.query<Stall>(PARKED, [afterMs, limit]);

/** How far one partition was looked through: everything published up to `until` was applied, dead, or is remembered. */
export interface Cursor {
  readonly partition: number;
  readonly nextOffset: number;
  readonly until: string;
}

export const readCursors = (tx: BackgroundTx, reader: Reader, partitions: number): Promise<Cursor[]> =>
  tx.query<Cursor>(CURSORS, [reader.group, reader.topic, partitions]);

/** A published event that is neither applied nor dead. */
export type UnappliedReceipt = Stall & { readonly logOffset: number };

/** Looks through what was published behind the cursor and before `before`. `until`: the last of it; null: there was none. */
export async function publishedBehind(
  tx: BackgroundTx,
  { partition, until }: Cursor,
  before: string,
  limit: number,
): Promise<{ readonly n: number; readonly until: string | null; readonly unapplied: UnappliedReceipt[] }> {
  const rows = await tx.query<UnappliedReceipt & { n: number; until: string | null; state: string | null }>(
    PUBLISHED,
    [partition, until, before, limit],
  );
  const { n, until: last } = rows[0]!;
  return { n, until: last, unapplied: rows.filter(({ state }) => state !== null) };
}

/** Moves a cursor to a time, or to right before it. */
export async function moveCursor(
  tx: BackgroundTx,
  { topic }: Reader,
  partition: number,
  to: { readonly time: string; readonly before: boolean },
): Promise<void> {
  await tx.query(MOVE_CURSOR, [topic, partition, to.time, to.before ? 1 : 0]);
}

/** Remembers what is new, to be looked at after `lookMs`; answers that, and what stands in another state than it did. */
export async function rememberStalls(
  tx: BackgroundTx,
  stalls: readonly Stall[],
  lookMs = 0,
): Promise<Stall[]> {
  if (stalls.length === 0) return [];
  return tx.query<Stall>(REMEMBER, [
    stalls.map(({ tenantId }) => tenantId),
    stalls.map(({ aggregateId }) => aggregateId),
    stalls.map(({ keySeq }) => keySeq),
    stalls.map(({ occurredAt }) => occurredAt),
    stalls.map(({ state }) => state),
    stalls.map(({ since }) => since),
    lookMs,
  ]);
}

/** Forgets what has moved on, and answers how many stalls are left. */
export async function forgetMoved(tx: BackgroundTx): Promise<number> {
  await tx.query(FORGET_MOVED, []);
  const [row] = await tx.query<{ n: number }>(COUNT, []);
  return row!.n;
}

/** Those that are due for a look, locked. */
export const dueStalls = (tx: BackgroundTx, limit: number): Promise<DueStall[]> =>
  tx.query<DueStall>(DUE, [limit]);

/** Writes down what became of looks. @param afterMs until the next one, by state */
export async function lookedAt(
  tx: BackgroundTx,
  looked: readonly Looked[],
  afterMs: (state: StallState) => number,
): Promise<void> {
  if (looked.length === 0) return;
  await tx.query(LOOKED, [
    looked.map(({ tenantId }) => tenantId),
    looked.map(({ aggregateId }) => aggregateId),
    looked.map(({ keySeq }) => keySeq),
    looked.map(({ act }) => act),
    looked.map(({ exhausted }) => exhausted),
    looked.map(({ state }) => afterMs(state)),
  ]);
}

/** Forgets what is known of these keys: an operator resumes them, and tries count anew. */
export async function forgetStallsOf(tx: BackgroundTx, keys: readonly OutboxKey[]): Promise<void> {
  await tx.query(FORGET_KEYS, [
    keys.map(({ tenantId }) => tenantId),
    keys.map(({ aggregateId }) => aggregateId),
  ]);
}
