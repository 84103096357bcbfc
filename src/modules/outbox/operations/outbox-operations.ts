import type { OpContext } from '../../../platform/context/op-context.js';
import { sql } from '../../../platform/database/sql.js';
import type { BackgroundTx, BackgroundWork } from '../../../platform/database/unit-of-work.js';
import type { TenantId } from '../../../platform/kernel/ids.js';
import { type OutboxKey, parkKeys, releaseKeys } from '../contract/queue-control.js';
import { recordActs } from '../contract/record-acts.js';

/** Statuses of an event in the outbox, as the view `outbox_status` derives them. */
export const OUTBOX_STATUSES = ['PENDING', 'IN_PROGRESS', 'FAILED', 'DELIVERED', 'DLQ', 'PARKED'] as const;
export type OutboxStatus = (typeof OUTBOX_STATUSES)[number];

/** Statuses of a key that is held back, and can be requeued. */
export const HELD_STATUSES = ['FAILED', 'DLQ', 'PARKED'] as const;

/** Which events or keys are meant; what is left out is no condition. */
export interface OutboxFilter {
  readonly tenantId?: TenantId;
  readonly aggregateId?: string;
  readonly status?: OutboxStatus;
  /** `<aggregate>.<past tense>`. */
  readonly type?: string;
  /** Committed (of a held key: held) at least so many seconds ago. */
  readonly olderThanSeconds?: number;
  /** Most events or keys. */
  readonly limit: number;
}

/** An event in the outbox. */
export interface OutboxItem extends OutboxKey {
  readonly eventId: string;
  readonly keySeq: number;
  readonly type: string;
  readonly status: OutboxStatus;
  readonly attempts: number;
  readonly occurredAt: string;
  readonly nextAttemptAt: string | null;
  readonly cause: string | null;
  readonly correlationId: string;
}

/** A key that a command would change, with the event at its head. */
export interface OutboxHead extends OutboxKey {
  readonly keySeq: number;
  readonly type: string;
  readonly status: OutboxStatus;
  readonly attempts: number;
  readonly cause: string | null;
}

const time = (column: string): string =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

const LIST = sql(
  'outbox.list',
  `SELECT s.tenant_id AS "tenantId", s.aggregate_id AS "aggregateId", e.event_id AS "eventId", s.key_seq AS "keySeq",
          e.event_type AS type, s.status, s.attempts, ${time('s.occurred_at')} AS "occurredAt",
          ${time('s.next_attempt_at')} AS "nextAttemptAt", s.cause, e.correlation_id AS "correlationId"
     FROM outbox_status s
     JOIN outbox_events e ON e.tenant_id = s.tenant_id AND e.aggregate_id = s.aggregate_id AND e.key_seq = s.key_seq
      AND e.occurred_at = s.occurred_at
    WHERE ($1::uuid IS NULL OR s.tenant_id = $1) AND ($2::uuid IS NULL OR s.aggregate_id = $2)
      AND CASE WHEN $3::text IS NULL THEN s.status <> 'DELIVERED' ELSE s.status = $3 END
      AND ($4::text IS NULL OR e.event_type = $4)
      AND ($5::float8 IS NULL OR s.occurred_at <= now() - $5 * interval '1 s')
    ORDER BY s.occurred_at, s.aggregate_id, s.key_seq LIMIT $6`,
);
const HELD = sql(
  'outbox.held_keys',
  `SELECT b.tenant_id AS "tenantId", b.aggregate_id AS "aggregateId", b.key_seq AS "keySeq", e.event_type AS type, b.status,
          b.attempts, b.cause
     FROM outbox_blocked_keys b
     JOIN LATERAL (SELECT event_type FROM outbox_events e WHERE e.tenant_id = b.tenant_id AND e.aggregate_id = b.aggregate_id
                      AND e.key_seq = b.key_seq LIMIT 1) e ON true
    WHERE ($1::uuid IS NULL OR b.tenant_id = $1) AND ($2::uuid IS NULL OR b.aggregate_id = $2)
      AND ($3::text IS NULL OR b.status = $3) AND ($4::text IS NULL OR e.event_type = $4)
      AND ($5::float8 IS NULL OR b.updated_at <= now() - $5 * interval '1 s')
    ORDER BY b.tenant_id, b.aggregate_id LIMIT $6`,
);
const WAITING = sql(
  'outbox.waiting_keys',
  `SELECT DISTINCT ON (s.tenant_id, s.aggregate_id) s.tenant_id AS "tenantId", s.aggregate_id AS "aggregateId",
          s.key_seq AS "keySeq", e.event_type AS type, s.status, s.attempts, s.cause
     FROM outbox_status s
     JOIN outbox_events e ON e.tenant_id = s.tenant_id AND e.aggregate_id = s.aggregate_id AND e.key_seq = s.key_seq
      AND e.occurred_at = s.occurred_at
    WHERE ($1::uuid IS NULL OR s.tenant_id = $1) AND ($2::uuid IS NULL OR s.aggregate_id = $2)
      AND s.status IN ('PENDING', 'IN_PROGRESS', 'FAILED') AND ($3::text IS NULL OR s.status = $3)
      AND ($4::text IS NULL OR e.event_type = $4)
      AND ($5::float8 IS NULL OR s.occurred_at <= now() - $5 * interval '1 s')
    ORDER BY s.tenant_id, s.aggregate_id, s.key_seq LIMIT $6`,
);

/** Keys that are changed in one transaction: it holds the slots of all of them. */
const BATCH = 500;

const values = (filter: OutboxFilter): unknown[] => [
  filter.tenantId ?? null,
  filter.aggregateId ?? null,
  filter.status ?? null,
  filter.type ?? null,
  filter.olderThanSeconds ?? null,
  filter.limit,
];

const nameOf = ({ tenantId, aggregateId }: OutboxKey): string => `${tenantId}/${aggregateId}`;

/** What operators do with the outbox; across tenants, each act audited in the tenant that it concerns. */
export class OutboxOperations {
  constructor(private readonly work: BackgroundWork) {}

  /** Events, oldest first; without a status all that are not delivered. */
  list(filter: OutboxFilter): Promise<OutboxItem[]> {
    return this.work.query<OutboxItem>(LIST, values(filter));
  }

  /** Keys that are held back. */
  held(filter: OutboxFilter): Promise<OutboxHead[]> {
    return this.work.query<OutboxHead>(HELD, values(filter));
  }

  /** Keys with events that wait to be published, and are not held back. */
  waiting(filter: OutboxFilter): Promise<OutboxHead[]> {
    return this.work.query<OutboxHead>(WAITING, values(filter));
  }

  /** Lets keys go on, with their tries counted anew. Answers how many were held. */
  requeue(ctx: OpContext, heads: readonly OutboxHead[], reason: string): Promise<number> {
    return this.change(ctx, heads, reason, 'outbox.requeued', (tx, keys) => releaseKeys(tx, keys));
  }

  /** Holds keys back until they are requeued. Answers how many. */
  park(ctx: OpContext, heads: readonly OutboxHead[], reason: string): Promise<number> {
    return this.change(ctx, heads, reason, 'outbox.parked', (tx, keys) =>
      parkKeys(tx, keys, `parked by ${ctx.actor.subject}`),
    );
  }

  private async change(
    ctx: OpContext,
    heads: readonly OutboxHead[],
    reason: string,
    action: string,
    work: (tx: BackgroundTx, keys: readonly OutboxKey[]) => Promise<OutboxKey[]>,
  ): Promise<number> {
    let changed = 0;
    for (let from = 0; from < heads.length; from += BATCH) {
      const batch = heads.slice(from, from + BATCH);
      changed += await this.work.run(action, async (tx) => {
        // Only what was changed: a key may have gone on by itself since it was looked at.
        const done = new Set((await work(tx, batch)).map(nameOf));
        await recordActs(
          tx,
          ctx,
          batch
            .filter((head) => done.has(nameOf(head)))
            .map(({ tenantId, aggregateId, type, keySeq, status, attempts }) => ({
              tenantId: tenantId as TenantId,
              action,
              resourceType: type.split('.')[0]!,
              resourceId: aggregateId,
              changes: { reason, keySeq, status, attempts },
            })),
        );
        return done.size;
      });
    }
    return changed;
  }
}
