import { sql } from '../../../platform/database/sql.js';
import type { BackgroundTx, BackgroundWork } from '../../../platform/database/unit-of-work.js';
import type { Identity } from '../domain/incoming.js';

/** Names a dead letter. */
export interface LetterRef {
  readonly tenantId: string;
  readonly deadLetterId: string;
}

/** Names the key that an event belongs to. */
export type KeyRef = Pick<Identity, 'tenantId' | 'aggregateId'>;

/** Letters of one key that are sent off together: what follows goes when these are applied. */
const RUN_LENGTH = 200;
/** A replay that came to nothing for so long is published again, s: its record may be lost, and a second one is a duplicate. */
const REPUBLISH_AFTER_S = 60;

// A dead letter can only be applied after those before it: whoever asks for one asks for them.
const REQUEST = sql(
  'consumer.request_replay',
  `WITH asked AS (
     SELECT d.tenant_id, d.dead_letter_id, d.aggregate_id, d.key_seq, d.status
       FROM unnest($1::uuid[], $2::uuid[]) AS a(tenant_id, dead_letter_id)
       JOIN dead_letters d ON d.tenant_id = a.tenant_id AND d.dead_letter_id = a.dead_letter_id),
   wanted AS (
     SELECT tenant_id, dead_letter_id FROM asked
     UNION
     SELECT d.tenant_id, d.dead_letter_id FROM asked a JOIN dead_letters d
         ON d.aggregate_id = a.aggregate_id AND d.tenant_id = a.tenant_id AND d.key_seq < a.key_seq
      WHERE a.status IN ('DEAD', 'PARKED') AND d.status = 'DEAD' AND d.failure_code <> 'KEY_REWIND'),
   sent AS (
   UPDATE dead_letters d SET status = 'REPLAYING', replay_published_at = NULL,
          replay_count = d.replay_count + (d.status = 'DEAD')::int,
          replay_requested_at = CASE WHEN d.status = 'DEAD' THEN clock_timestamp() ELSE d.replay_requested_at END
     FROM wanted w
    WHERE d.tenant_id = w.tenant_id AND d.dead_letter_id = w.dead_letter_id AND d.status IN ('DEAD', 'REPLAYING')
   RETURNING d.tenant_id, d.dead_letter_id, d.aggregate_id)
   SELECT tenant_id AS "tenantId", dead_letter_id AS "deadLetterId", aggregate_id AS "aggregateId", true AS sent FROM sent
   UNION ALL
   SELECT tenant_id, dead_letter_id, aggregate_id, false FROM asked WHERE status = 'PARKED'`,
);
const PROMOTE = sql(
  'consumer.promote_parked',
  `WITH run AS (
     SELECT d.tenant_id, d.dead_letter_id,
            d.key_seq - row_number() OVER key = d.applied_seq AS consecutive, bool_and(d.status <> 'DEAD') OVER key AS free
       FROM (SELECT DISTINCT * FROM unnest((SELECT $1::uuid[]), (SELECT $2::uuid[])) AS u(tenant_id, aggregate_id)) k
      CROSS JOIN LATERAL (
        SELECT l.*, coalesce(m.applied_seq, 0) AS applied_seq
          FROM (SELECT 1) one
          LEFT JOIN event_key_marks m ON m.tenant_id = k.tenant_id AND m.aggregate_id = k.aggregate_id
          JOIN dead_letters l ON l.aggregate_id = k.aggregate_id AND l.tenant_id = k.tenant_id
           AND l.key_seq > coalesce(m.applied_seq, 0) AND l.status IN ('DEAD', 'PARKED', 'REPLAYING')
           AND l.failure_code <> 'KEY_REWIND'
         ORDER BY l.key_seq LIMIT ${RUN_LENGTH}) d
     WINDOW key AS (PARTITION BY d.tenant_id, d.aggregate_id ORDER BY d.key_seq))
   UPDATE dead_letters d SET status = 'REPLAYING', replay_published_at = NULL, replay_count = d.replay_count + 1,
          replay_requested_at = clock_timestamp()
     FROM run
    WHERE run.consecutive AND run.free AND d.tenant_id = run.tenant_id AND d.dead_letter_id = run.dead_letter_id
      AND d.status = 'PARKED'
   RETURNING d.tenant_id AS "tenantId", d.dead_letter_id AS "deadLetterId"`,
);
const DUE = sql(
  'consumer.due_replays',
  `SELECT tenant_id AS "tenantId", dead_letter_id AS "deadLetterId", partition, aggregate_id AS "aggregateId",
          record_key AS "recordKey", record_value AS "recordValue", record_headers AS "recordHeaders", replay_count AS replay
     FROM dead_letters
    WHERE status = 'REPLAYING' AND consumer_group = $1 AND topic = $2 AND partition = ANY($3::int[])
      AND (replay_published_at IS NULL OR replay_published_at < clock_timestamp() - interval '${REPUBLISH_AFTER_S} seconds')
    ORDER BY aggregate_id, key_seq LIMIT $4`,
);
const PUBLISHED = sql(
  'consumer.replays_published',
  `UPDATE dead_letters d SET replay_published_at = clock_timestamp()
     FROM unnest($1::uuid[], $2::uuid[], $3::int[]) AS p(tenant_id, dead_letter_id, replay)
    WHERE d.tenant_id = p.tenant_id AND d.dead_letter_id = p.dead_letter_id AND d.replay_count = p.replay AND d.status = 'REPLAYING'`,
);
const COUNTS = sql(
  'consumer.count_dead_letters',
  `SELECT s.status, count(d.status)::int AS count
     FROM unnest('{DEAD,PARKED,REPLAYING,SKIPPED}'::text[]) AS s(status)
     LEFT JOIN dead_letters d ON d.status = s.status AND d.status <> 'RESOLVED' GROUP BY s.status`,
);
// Another event under a version that is taken stays one: else it would be in the way of its key. What was parked has not been
// tried yet: its code tells so when it is, and its tries are counted from the first.
const REFUSED = sql(
  'consumer.replay_refused',
  `UPDATE dead_letters SET status = 'DEAD', failure_cause = $4, attempted_at = clock_timestamp(),
          failure_code = CASE WHEN failure_code IN ('KEY_REWIND', 'KEY_PARKED', 'KEY_GAP') THEN failure_code ELSE 'RECORD_REFUSED' END
    WHERE tenant_id = $1 AND dead_letter_id = $2 AND replay_count = $3 AND status = 'REPLAYING'`,
);

/** A letter that was sent off to be replayed. */
export interface RequestedLetter extends LetterRef {
  readonly aggregateId: string | null;
  /** False: it is parked, and goes if nothing stands before it. */
  readonly sent: boolean;
}

/**
 * Sends off the dead ones among these letters, the dead ones before them in their keys, and what is parked right behind; one
 * that is on its way already is published once more. Answers all of them.
 */
export async function requestReplays(tx: BackgroundTx, letters: readonly LetterRef[]): Promise<LetterRef[]> {
  const asked = await tx.query<RequestedLetter>(REQUEST, refs(letters));
  const dead = asked.filter(({ sent }) => sent);
  const keys = asked.filter((letter): letter is RequestedLetter & KeyRef => letter.aggregateId !== null);
  return [...dead, ...(await promoteParked(tx, keys))].map(({ tenantId, deadLetterId }) => ({
    tenantId,
    deadLetterId,
  }));
}

/**
 * Sends off what is parked behind nothing dead and no gap. To be called after every move of a key's mark, in its
 * transaction and behind it: then nothing stays parked that could go on.
 */
export const promoteParked = (tx: BackgroundTx, keys: readonly KeyRef[]): Promise<LetterRef[]> =>
  keys.length === 0
    ? Promise.resolve([])
    : tx.query<LetterRef>(PROMOTE, [
        keys.map(({ tenantId }) => tenantId),
        keys.map(({ aggregateId }) => aggregateId),
      ]);

/** A letter as it is published again. */
export interface DueReplay extends LetterRef {
  readonly partition: number;
  readonly aggregateId: string | null;
  readonly recordKey: string | null;
  readonly recordValue: Buffer | null;
  readonly recordHeaders: Record<string, string>;
  /** Which replay of the letter this is: 1 for the first. */
  readonly replay: number;
}

/** Replays on their way to the topic of events. */
export class ReplayStore {
  constructor(
    private readonly work: BackgroundWork,
    private readonly group: string,
    private readonly topic: string,
  ) {}

  /** Requested and not published, or published long ago to no effect; of these partitions, each key's in order. */
  due(partitions: readonly number[], limit: number): Promise<DueReplay[]> {
    return this.work.query<DueReplay>(DUE, [this.group, this.topic, partitions, limit]);
  }

  async published(letters: readonly DueReplay[]): Promise<void> {
    await this.work.query(PUBLISHED, [...refs(letters), letters.map(({ replay }) => replay)]);
  }

  /** How many letters there are of each status but RESOLVED. */
  async counts(): Promise<[string, number][]> {
    const rows = await this.work.query<{ status: string; count: number }>(COUNTS, []);
    return rows.map(({ status, count }) => [status, count]);
  }

  /** The log will never take it as it is. */
  async refused({ tenantId, deadLetterId, replay }: DueReplay, cause: string): Promise<void> {
    await this.work.query(REFUSED, [tenantId, deadLetterId, replay, cause]);
  }
}

const refs = (letters: readonly LetterRef[]): string[][] => [
  letters.map(({ tenantId }) => tenantId),
  letters.map(({ deadLetterId }) => deadLetterId),
];
