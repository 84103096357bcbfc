import { sql } from '../../../platform/database/sql.js';
import type { BackgroundTx, BackgroundWork } from '../../../platform/database/unit-of-work.js';
import { newId, PLATFORM_TENANT_ID } from '../../../platform/kernel/ids.js';
import { storable } from '../domain/storable.js';
import { FencedError } from './fenced-error.js';
import type { BuriedRecord, ReplayEnd } from '../domain/plan-batch.js';

const BURY = sql(
  'consumer.bury',
  `INSERT INTO dead_letters (tenant_id, dead_letter_id, consumer_group, topic, partition, log_offset, event_id, aggregate_id,
     key_seq, occurred_at, status, record_key, record_value, record_headers, retry_count, attempted_at, failure_code, failure_cause)
   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, clock_timestamp(), $16, $17)
   ON CONFLICT (consumer_group, topic, partition, log_offset, event_id) DO NOTHING`,
);
const UNPUBLISHED = sql(
  'consumer.unpublished_dead_letters',
  `SELECT tenant_id AS "tenantId", dead_letter_id AS "deadLetterId", topic, partition, log_offset::text AS "logOffset",
          event_id AS "eventId", aggregate_id AS "aggregateId", key_seq AS "keySeq", status, record_key AS "recordKey",
          record_value AS "recordValue", record_headers AS "recordHeaders", retry_count AS "retryCount",
          to_char(attempted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "attemptedAt",
          failure_code AS "failureCode", failure_cause AS "failureCause"
     FROM dead_letters
    WHERE published_at IS NULL AND consumer_group = $1 AND topic = $2 AND partition = ANY($3::int[])
    ORDER BY created_at, log_offset LIMIT $4`,
);
const PUBLISHED = sql(
  'consumer.dead_letters_published',
  `UPDATE dead_letters d SET published_at = clock_timestamp()
     FROM unnest($1::uuid[], $2::uuid[]) AS p(tenant_id, dead_letter_id)
    WHERE d.tenant_id = p.tenant_id AND d.dead_letter_id = p.dead_letter_id AND d.published_at IS NULL`,
);

// A letter that was parked has not been tried before this replay, and goes back to being parked when it came too early.
const END_REPLAYS = sql(
  'consumer.end_replays',
  `WITH ended AS (
     SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::int[], $6::text[], $7::text[])
       AS e(tenant_id, dead_letter_id, replay, outcome, retry_count, code, cause))
   UPDATE dead_letters d SET
     status = CASE e.outcome WHEN 'RESOLVED' THEN 'RESOLVED' WHEN 'FAILED' THEN 'DEAD'
       ELSE CASE WHEN d.failure_code IN ('KEY_PARKED', 'KEY_GAP') THEN 'PARKED' ELSE 'DEAD' END END,
     resolved_at = CASE e.outcome WHEN 'RESOLVED' THEN clock_timestamp() END,
     retry_count = CASE e.outcome WHEN 'FAILED' THEN
       d.retry_count + e.retry_count + (d.failure_code NOT IN ('KEY_PARKED', 'KEY_GAP'))::int ELSE d.retry_count END,
     attempted_at = CASE e.outcome WHEN 'FAILED' THEN clock_timestamp() ELSE d.attempted_at END,
     failure_code = coalesce(e.code, d.failure_code), failure_cause = coalesce(e.cause, d.failure_cause)
     FROM ended e
    WHERE d.tenant_id = e.tenant_id AND d.dead_letter_id = e.dead_letter_id AND d.status = 'REPLAYING' AND d.replay_count = e.replay
   RETURNING d.dead_letter_id`,
);

/** A dead letter as it is published. */
export interface DeadLetter {
  readonly tenantId: string;
  readonly deadLetterId: string;
  readonly topic: string;
  readonly partition: number;
  readonly logOffset: string;
  readonly eventId: string | null;
  readonly aggregateId: string | null;
  readonly keySeq: number | null;
  readonly status: 'DEAD' | 'PARKED';
  readonly recordKey: string | null;
  readonly recordValue: Buffer | null;
  readonly recordHeaders: Record<string, string>;
  readonly retryCount: number;
  readonly attemptedAt: string;
  readonly failureCode: string;
  readonly failureCause: string;
}

/** Writes dead letters in the transaction that moves the offset past their records. */
export async function bury(
  tx: BackgroundTx,
  group: string,
  topic: string,
  records: readonly BuriedRecord[],
): Promise<void> {
  for (const { record, identity, status, retryCount, code, cause } of records)
    await tx.query(BURY, [
      identity?.tenantId ?? PLATFORM_TENANT_ID,
      newId(),
      group,
      topic,
      record.partition,
      record.offset.toString(),
      identity?.eventId ?? null,
      identity?.aggregateId ?? null,
      identity?.keySeq ?? null,
      identity?.occurredAt ?? null,
      status,
      record.key === null ? null : storable(record.key),
      record.value,
      JSON.stringify(record.headers),
      retryCount,
      code,
      storable(cause),
    ]);
}

/** Writes how replays ended, in the transaction that moves the offset past their records. */
export async function endReplays(tx: BackgroundTx, ends: readonly ReplayEnd[]): Promise<void> {
  if (ends.length === 0) return;
  const failed = ends.map((end) => (end.outcome === 'FAILED' ? end : null));
  const rows = await tx.query(END_REPLAYS, [
    ends.map(({ tenantId }) => tenantId),
    ends.map(({ deadLetterId }) => deadLetterId),
    ends.map(({ replay }) => replay),
    ends.map(({ outcome }) => outcome),
    failed.map((end) => end?.retryCount ?? 0),
    failed.map((end) => end?.code ?? null),
    failed.map((end) => (end ? storable(end.cause) : null)),
  ]);
  // Whoever ended one of them since it was read has applied it: this transaction must not, too.
  if (rows.length !== ends.length) throw new FencedError('a replay has ended meanwhile');
}

/** Dead letters on their way to the topic of dead letters. */
export class DeadLetterStore {
  constructor(
    private readonly work: BackgroundWork,
    private readonly group: string,
    private readonly topic: string,
  ) {}

  /** The oldest unpublished ones of these partitions. */
  unpublished(partitions: readonly number[], limit: number): Promise<DeadLetter[]> {
    return this.work.query<DeadLetter>(UNPUBLISHED, [this.group, this.topic, partitions, limit]);
  }

  async published(letters: readonly DeadLetter[]): Promise<void> {
    await this.work.query(PUBLISHED, [
      letters.map(({ tenantId }) => tenantId),
      letters.map(({ deadLetterId }) => deadLetterId),
    ]);
  }
}
