import { sql } from '../../../platform/database/sql.js';
import type { BackgroundTx } from '../../../platform/database/unit-of-work.js';
import type { EventEnvelope } from '../../outbox/contract/events.js';
import type { Identity } from '../domain/incoming.js';
import { type KeyState, keyOf } from '../domain/plan-batch.js';

const KEY_STATES = sql(
  'consumer.key_states',
  `SELECT k.tenant_id AS "tenantId", k.aggregate_id AS "aggregateId", coalesce(m.applied_seq, 0) AS "appliedSeq",
          coalesce(d.seqs, '{}') AS "buriedSeqs"
     FROM unnest($1::uuid[], $2::uuid[]) AS k(tenant_id, aggregate_id)
     LEFT JOIN event_key_marks m ON m.tenant_id = k.tenant_id AND m.aggregate_id = k.aggregate_id
     LEFT JOIN LATERAL (
       SELECT array_agg(key_seq) AS seqs FROM dead_letters
        WHERE tenant_id = k.tenant_id AND aggregate_id = k.aggregate_id) d ON true`,
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

/** What is known of the keys of these events. */
export async function readKeyStates(
  tx: BackgroundTx,
  identities: readonly Identity[],
): Promise<Map<string, KeyState>> {
  const keys = new Map(identities.map((identity) => [keyOf(identity), identity]));
  if (keys.size === 0) return new Map();
  const rows = await tx.query<KeyState & Pick<Identity, 'tenantId' | 'aggregateId'>>(KEY_STATES, [
    [...keys.values()].map(({ tenantId }) => tenantId),
    [...keys.values()].map(({ aggregateId }) => aggregateId),
  ]);
  return new Map(rows.map((row) => [keyOf(row), row]));
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
