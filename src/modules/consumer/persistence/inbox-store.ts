import { sql } from '../../../platform/database/sql.js';
import type { BackgroundTx } from '../../../platform/database/unit-of-work.js';
import { PLATFORM_TENANT_ID } from '../../../platform/kernel/ids.js';
import type { EventEnvelope } from '../../outbox/contract/events.js';
import type { DecodedRecord } from '../domain/decode.js';
import type { Identity } from '../domain/incoming.js';
import {
  identityOf,
  type KeyState,
  keyOf,
  type LetterState,
  type VersionState,
} from '../domain/plan-batch.js';
import type { KeyRef } from './replay-store.js';

// By version, so that a parked key with many letters costs no more than another; the inbox is asked for settled versions only.
// The arrays in sub-selects, so that the plan is kept: planned for the very lengths of a small batch, it takes five times as long.
const KEY_STATES = sql(
  'consumer.key_states',
  `SELECT k.tenant_id AS "tenantId", k.aggregate_id AS "aggregateId", k.key_seq AS "keySeq", coalesce(m.applied_seq, 0) AS "appliedSeq",
          (SELECT min(key_seq) FROM dead_letters
            WHERE aggregate_id = k.aggregate_id AND tenant_id = k.tenant_id AND key_seq > coalesce(m.applied_seq, 0)
              AND status IN ('DEAD', 'PARKED', 'REPLAYING') AND failure_code <> 'KEY_REWIND') AS "firstOpen",
          (SELECT json_agg(json_build_object('eventId', event_id, 'status', status, 'rewind', failure_code = 'KEY_REWIND'))
             FROM dead_letters
            WHERE aggregate_id = k.aggregate_id AND tenant_id = k.tenant_id AND key_seq = k.key_seq) AS letters,
          CASE WHEN k.key_seq <= m.applied_seq THEN (
            SELECT event_id FROM event_inbox
             WHERE tenant_id = k.tenant_id AND aggregate_id = k.aggregate_id AND key_seq = k.key_seq LIMIT 1) END AS "appliedId"
     FROM unnest((SELECT $1::uuid[]), (SELECT $2::uuid[]), (SELECT $3::int[])) AS k(tenant_id, aggregate_id, key_seq)
     LEFT JOIN event_key_marks m ON m.tenant_id = k.tenant_id AND m.aggregate_id = k.aggregate_id`,
);

const LETTERS = sql(
  'consumer.replayed_letters',
  `SELECT d.tenant_id AS "tenantId", d.dead_letter_id AS "deadLetterId", d.event_id AS "eventId",
          d.status = 'REPLAYING' AS replaying, d.replay_count AS replay
     FROM unnest($1::uuid[], $2::uuid[]) AS r(tenant_id, dead_letter_id)
     JOIN dead_letters d ON d.tenant_id = r.tenant_id AND d.dead_letter_id = r.dead_letter_id`,
);

// A mark that isn't there can't be locked, so it is made.
const LOCK_KEYS = sql(
  'consumer.lock_keys',
  `INSERT INTO event_key_marks AS m (tenant_id, aggregate_id, applied_seq)
   SELECT DISTINCT k.tenant_id, k.aggregate_id, 0 FROM unnest($1::uuid[], $2::uuid[]) AS k(tenant_id, aggregate_id) ORDER BY 1, 2
   ON CONFLICT (tenant_id, aggregate_id) DO UPDATE SET applied_seq = m.applied_seq`,
);

// The inbox has no ON CONFLICT: a second application of an event is a bug, and its key must stop it, loudly.
const RECORD = sql(
  'consumer.record_applied',
  `WITH applied AS (
     SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::timestamptz[], $5::uuid[])
       AS a(tenant_id, aggregate_id, key_seq, occurred_at, event_id)),
   inbox AS (
     INSERT INTO event_inbox (tenant_id, aggregate_id, key_seq, occurred_at, event_id, consumed_at, applied_at)
     SELECT tenant_id, aggregate_id, key_seq, occurred_at, event_id, now(), clock_timestamp() FROM applied)
   INSERT INTO event_key_marks AS m (tenant_id, aggregate_id, applied_seq)
   SELECT tenant_id, aggregate_id, max(key_seq) FROM applied GROUP BY 1, 2 ORDER BY 1, 2
   ON CONFLICT (tenant_id, aggregate_id) DO UPDATE SET applied_seq = excluded.applied_seq
   WHERE m.applied_seq < excluded.applied_seq`,
);

interface KeyRow extends Pick<Identity, 'tenantId' | 'aggregateId' | 'keySeq'> {
  readonly appliedSeq: number;
  readonly firstOpen: number | null;
  readonly letters:
    readonly { readonly eventId: string; readonly status: string; readonly rewind: boolean }[] | null;
  readonly appliedId: string | null;
}

const OPEN = new Set(['DEAD', 'PARKED', 'REPLAYING']);

/** What is known of the keys of these events, and of their versions. */
export async function readKeyStates(
  tx: BackgroundTx,
  identities: readonly Identity[],
): Promise<Map<string, KeyState>> {
  if (identities.length === 0) return new Map();
  const rows = await tx.query<KeyRow>(KEY_STATES, [
    identities.map(({ tenantId }) => tenantId),
    identities.map(({ aggregateId }) => aggregateId),
    identities.map(({ keySeq }) => keySeq),
  ]);
  const states = new Map<string, KeyState & { readonly versions: Map<number, VersionState> }>();
  for (const row of rows) {
    const { appliedSeq, firstOpen, appliedId, letters } = row;
    const key = keyOf(row);
    if (!states.has(key)) states.set(key, { appliedSeq, firstOpen, versions: new Map() });
    const held = letters?.filter(({ rewind }) => !rewind) ?? [];
    states.get(key)!.versions.set(row.keySeq, {
      buried: held.some(({ status }) => OPEN.has(status)),
      // A skipped stranger's letter stands for nobody once the event itself has one.
      holder: appliedId ?? (held.find(({ status }) => OPEN.has(status)) ?? held[0])?.eventId ?? null,
      rewinds: letters?.filter(({ rewind }) => rewind).map(({ eventId }) => eventId) ?? [],
    });
  }
  return states;
}

/** The dead letters that these records claim to replay, by id: those of their own tenant's and of nobody's, no others. */
export async function readLetters(
  tx: BackgroundTx,
  records: readonly DecodedRecord[],
): Promise<Map<string, LetterState>> {
  const claims = records.flatMap((decoded) =>
    decoded.replayOf === null
      ? []
      : [PLATFORM_TENANT_ID, identityOf(decoded)?.tenantId]
          .filter((tenantId) => tenantId !== undefined)
          .map((tenantId) => ({ tenantId, id: decoded.replayOf!.deadLetterId })),
  );
  if (claims.length === 0) return new Map();
  const rows = await tx.query<LetterState>(LETTERS, [
    claims.map(({ tenantId }) => tenantId),
    claims.map(({ id }) => id),
  ]);
  return new Map(rows.map((row) => [row.deadLetterId, row]));
}

/**
 * Holds the marks of these keys until the transaction ends. Whoever writes a dead letter of a key, or moves its mark by hand,
 * holds its mark first and looks at the key after: else a mark that moves meanwhile would leave a letter parked for ever.
 */
export async function lockKeys(tx: BackgroundTx, keys: readonly KeyRef[]): Promise<void> {
  await tx.query(LOCK_KEYS, [
    keys.map(({ tenantId }) => tenantId),
    keys.map(({ aggregateId }) => aggregateId),
  ]);
}

/** Writes the checkpoints CONSUMED and APPLIED and moves the marks of the keys. */
export async function recordApplied(tx: BackgroundTx, events: readonly EventEnvelope[]): Promise<void> {
  if (events.length === 0) return;
  await tx.query(RECORD, [
    events.map(({ tenantId }) => tenantId),
    events.map(({ aggregateId }) => aggregateId),
    events.map(({ keySeq }) => keySeq),
    events.map(({ occurredAt }) => occurredAt),
    events.map(({ eventId }) => eventId),
  ]);
}
