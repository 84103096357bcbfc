import { sql } from '../../../platform/database/sql.js';
import type { BackgroundTx } from '../../../platform/database/unit-of-work.js';
import type { KeyRef, LetterRef } from './replay-store.js';

/** States of a dead letter; the trigger `dead_letters_moves` knows which follows which. */
export const LETTER_STATUSES = ['DEAD', 'PARKED', 'REPLAYING', 'RESOLVED', 'SKIPPED'] as const;

export type LetterStatus = (typeof LETTER_STATUSES)[number];

/** Which dead letters are meant; what is left out is not looked at. */
export interface LetterFilter {
  readonly deadLetterId?: string;
  readonly tenantId?: string;
  readonly aggregateId?: string;
  readonly eventId?: string;
  readonly code?: string;
  readonly statuses: readonly LetterStatus[];
  /** Dead-lettered in `[since, until)`, ISO 8601. */
  readonly since?: string;
  readonly until?: string;
  /** The oldest so many. */
  readonly limit: number;
}

/** A dead letter in a list. Times in UTC, microseconds. */
export interface LetterRow extends LetterRef {
  readonly status: LetterStatus;
  readonly code: string;
  readonly cause: string;
  readonly aggregateId: string | null;
  readonly keySeq: number | null;
  readonly eventId: string | null;
  /** Retries after the first try, those of replays too. */
  readonly retryCount: number;
  readonly replayCount: number;
  readonly createdAt: string;
  readonly attemptedAt: string;
}

/** A dead letter whole. */
export interface LetterDetail extends LetterRow {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly occurredAt: string | null;
  readonly recordKey: string | null;
  readonly recordValue: Buffer | null;
  readonly originalValue: Buffer | null;
  readonly recordHeaders: Record<string, string>;
  readonly publishedAt: string | null;
  readonly replayRequestedAt: string | null;
  readonly replayPublishedAt: string | null;
  readonly resolvedAt: string | null;
  readonly skippedAt: string | null;
}

const time = (column: string): string =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

const ROW = `d.tenant_id AS "tenantId", d.dead_letter_id AS "deadLetterId", d.status, d.failure_code AS code, d.failure_cause AS cause,
  d.aggregate_id AS "aggregateId", d.key_seq AS "keySeq", d.event_id AS "eventId", d.retry_count AS "retryCount",
  d.replay_count AS "replayCount", ${time('d.created_at')} AS "createdAt", ${time('d.attempted_at')} AS "attemptedAt"`;

const FIND = sql(
  'consumer.find_letters',
  `SELECT ${ROW} FROM dead_letters d
    WHERE d.status = ANY($1::text[]) AND ($2::uuid IS NULL OR d.dead_letter_id = $2) AND ($3::uuid IS NULL OR d.tenant_id = $3)
      AND ($4::uuid IS NULL OR d.aggregate_id = $4) AND ($5::uuid IS NULL OR d.event_id = $5)
      AND ($6::text IS NULL OR d.failure_code = $6) AND ($7::timestamptz IS NULL OR d.created_at >= $7)
      AND ($8::timestamptz IS NULL OR d.created_at < $8)
    ORDER BY d.created_at, d.key_seq LIMIT $9`,
);
const BY_REFS = sql(
  'consumer.letters_by_id',
  `SELECT ${ROW} FROM unnest($1::uuid[], $2::uuid[]) AS r(tenant_id, dead_letter_id)
     JOIN dead_letters d ON d.tenant_id = r.tenant_id AND d.dead_letter_id = r.dead_letter_id
    ORDER BY d.aggregate_id, d.key_seq`,
);
const DETAIL = sql(
  'consumer.letter_detail',
  `SELECT ${ROW}, d.topic, d.partition, d.log_offset::text AS offset, ${time('d.occurred_at')} AS "occurredAt",
          d.record_key AS "recordKey", d.record_value AS "recordValue", d.original_value AS "originalValue",
          d.record_headers AS "recordHeaders", ${time('d.published_at')} AS "publishedAt",
          ${time('d.replay_requested_at')} AS "replayRequestedAt", ${time('d.replay_published_at')} AS "replayPublishedAt",
          ${time('d.resolved_at')} AS "resolvedAt", ${time('d.skipped_at')} AS "skippedAt"
     FROM dead_letters d WHERE d.dead_letter_id = $1 FOR UPDATE`,
);
const AROUND = sql(
  'consumer.letters_of_key',
  `SELECT ${ROW} FROM dead_letters d
    WHERE d.aggregate_id = $2 AND d.tenant_id = $1 AND d.status IN ('DEAD', 'PARKED', 'REPLAYING') AND d.dead_letter_id <> $3
    ORDER BY d.key_seq LIMIT $4`,
);
const PATCH = sql(
  'consumer.patch_letter',
  `UPDATE dead_letters SET record_value = $3, original_value = coalesce(original_value, record_value)
    WHERE tenant_id = $1 AND dead_letter_id = $2`,
);
const MARKS = sql(
  'consumer.marks',
  `SELECT m.tenant_id AS "tenantId", m.aggregate_id AS "aggregateId", m.applied_seq AS "appliedSeq"
     FROM unnest($1::uuid[], $2::uuid[]) AS k(tenant_id, aggregate_id)
     JOIN event_key_marks m ON m.tenant_id = k.tenant_id AND m.aggregate_id = k.aggregate_id`,
);
// The months of the outbox that hold the events of open letters are never dropped.
const OURS = sql(
  'consumer.letters_of_ours',
  `SELECT d.dead_letter_id AS "deadLetterId"
     FROM unnest($1::uuid[], $2::uuid[]) AS r(tenant_id, dead_letter_id)
     JOIN dead_letters d ON d.tenant_id = r.tenant_id AND d.dead_letter_id = r.dead_letter_id
    WHERE EXISTS (SELECT FROM outbox_events e WHERE e.tenant_id = d.tenant_id AND e.aggregate_id = d.aggregate_id
                     AND e.key_seq = d.key_seq AND e.event_id = d.event_id)`,
);
const SKIP = sql(
  'consumer.skip_letters',
  `UPDATE dead_letters d SET status = 'SKIPPED', skipped_at = clock_timestamp()
     FROM unnest($1::uuid[], $2::uuid[]) AS s(tenant_id, dead_letter_id)
    WHERE d.tenant_id = s.tenant_id AND d.dead_letter_id = s.dead_letter_id`,
);
const MOVE_MARKS = sql(
  'consumer.move_marks',
  `UPDATE event_key_marks m SET applied_seq = k.seq
     FROM unnest($1::uuid[], $2::uuid[], $3::int[]) AS k(tenant_id, aggregate_id, seq)
    WHERE m.tenant_id = k.tenant_id AND m.aggregate_id = k.aggregate_id AND m.applied_seq < k.seq`,
);

const refs = (letters: readonly LetterRef[]): string[][] => [
  letters.map(({ tenantId }) => tenantId),
  letters.map(({ deadLetterId }) => deadLetterId),
];
const keys = (of: readonly KeyRef[]): string[][] => [
  of.map(({ tenantId }) => tenantId),
  of.map(({ aggregateId }) => aggregateId),
];

/** The letters that a filter means, oldest first. */
export const findLetters = (tx: BackgroundTx, filter: LetterFilter): Promise<LetterRow[]> =>
  tx.query<LetterRow>(FIND, [
    filter.statuses,
    filter.deadLetterId ?? null,
    filter.tenantId ?? null,
    filter.aggregateId ?? null,
    filter.eventId ?? null,
    filter.code ?? null,
    filter.since ?? null,
    filter.until ?? null,
    filter.limit,
  ]);

/** These letters as they are now, each key's in order. */
export const lettersByRef = (tx: BackgroundTx, letters: readonly LetterRef[]): Promise<LetterRow[]> =>
  tx.query<LetterRow>(BY_REFS, refs(letters));

/** One letter, locked until the transaction ends; undefined: there is none. */
export const letterDetail = async (
  tx: BackgroundTx,
  deadLetterId: string,
): Promise<LetterDetail | undefined> => (await tx.query<LetterDetail>(DETAIL, [deadLetterId]))[0];

/** The other unresolved letters of a letter's key, in order. */
export const lettersAround = (
  tx: BackgroundTx,
  { tenantId, aggregateId, deadLetterId }: LetterRow,
  limit: number,
): Promise<LetterRow[]> => tx.query<LetterRow>(AROUND, [tenantId, aggregateId, deadLetterId, limit]);

/** Gives a letter another payload, and keeps the first. */
export async function patchLetter(tx: BackgroundTx, letter: LetterRef, value: Buffer): Promise<void> {
  await tx.query(PATCH, [letter.tenantId, letter.deadLetterId, value]);
}

/** The marks of these keys, as far as there are any. */
export const readMarks = (
  tx: BackgroundTx,
  of: readonly KeyRef[],
): Promise<(KeyRef & { readonly appliedSeq: number })[]> => tx.query(MARKS, keys(of));

/** Ids of those letters whose event the outbox knows under their version. */
export async function lettersOfOurs(tx: BackgroundTx, letters: readonly LetterRef[]): Promise<Set<string>> {
  const rows = await tx.query<{ deadLetterId: string }>(OURS, refs(letters));
  return new Set(rows.map(({ deadLetterId }) => deadLetterId));
}

/** Settles letters without effect, and moves the marks of their keys past them. */
export async function skipLetters(
  tx: BackgroundTx,
  letters: readonly LetterRef[],
  marks: readonly (KeyRef & { readonly seq: number })[],
): Promise<void> {
  await tx.query(SKIP, refs(letters));
  await tx.query(MOVE_MARKS, [...keys(marks), marks.map(({ seq }) => seq)]);
}
