import type { OpContext } from '../../../platform/context/op-context.js';
import { sql } from '../../../platform/database/sql.js';
import type { Tx } from '../../../platform/database/unit-of-work.js';
import { newId } from '../../../platform/kernel/ids.js';
import { fitting } from './event-size.js';
import { writtenVersion } from './event-types.js';
import { priorityOf, slotOf, type AggregateType, type NewEvent } from './events.js';

/** What changed on a resource, for the audit log: field → [before, after]; people's data as `'changed'` only. */
export type Changes = Record<string, unknown>;

/** One audit row, in the terms of the table. */
export interface AuditRow {
  readonly auditId: string;
  readonly actor: string;
  readonly source: string;
  readonly ip: string | null;
  readonly action: string;
  readonly resourceType: AggregateType;
  readonly resourceId: string;
  readonly correlationId: string;
  readonly changes: Changes;
}

/**
 * The common table expressions that append events (log and queue) and audit rows, for a data-modifying statement.
 * `tenant`, `events` and `audit` are parameter numbers; the two latter take the JSON of `eventRows` and `auditRows`.
 * The queue's ids follow the order of the list, so that one key's events of one transaction keep theirs.
 */
export const appendChangesCtes = (tenant: number, events: number, audit: number): string => `
  new_events AS (
    SELECT * FROM json_to_recordset($${events}::json) AS e(
      ord int, slot smallint, priority smallint, dedupe_key text, aggregate_id uuid, key_seq int, event_id uuid, aggregate_type text, event_type text,
      event_version smallint, data json, correlation_id uuid, traceparent text, actor text, received_at timestamptz)),
  logged AS (
    INSERT INTO outbox_events (tenant_id, aggregate_id, key_seq, occurred_at, event_id, aggregate_type, event_type,
      event_version, data, correlation_id, traceparent, actor, received_at)
    SELECT $${tenant}, aggregate_id, key_seq, now(), event_id, aggregate_type, event_type, event_version, data,
      correlation_id, traceparent, actor, received_at FROM new_events),
  queued AS (
    INSERT INTO outbox_queue (slot, priority, tenant_id, aggregate_id, key_seq, occurred_at, dedupe_key)
    SELECT slot, priority, $${tenant}, aggregate_id, key_seq, now(), dedupe_key FROM new_events ORDER BY ord),
  audited AS (
    INSERT INTO audit_log (tenant_id, audit_id, actor, source, ip, action, resource_type, resource_id, correlation_id, changes)
    SELECT $${tenant}, audit_id, actor, source, ip, action, resource_type, resource_id, correlation_id, changes
      FROM json_to_recordset($${audit}::json) AS a(audit_id uuid, actor text, source text, ip inet, action text,
        resource_type text, resource_id uuid, correlation_id uuid, changes json))`;

/** The JSON parameter of `new_events`. @throws DomainError EVENT_TOO_LARGE (413) */
export const eventRows = (events: readonly NewEvent[]): string => {
  const rows = events.map((event, ord) =>
    fitting(event, {
      ord,
      slot: slotOf(event.aggregateId),
      priority: priorityOf(event.aggregateType),
      dedupe_key: event.dedupeKey,
      aggregate_id: event.aggregateId,
      key_seq: event.keySeq,
      event_id: event.eventId,
      aggregate_type: event.aggregateType,
      event_type: event.type,
      event_version: event.version,
      data: event.data,
      correlation_id: event.correlationId,
      traceparent: event.traceparent,
      actor: event.actor,
      received_at: event.receivedAt,
    }),
  );
  return `[${rows.join(',')}]`;
};

/** The JSON parameter of `audited`. */
export const auditRows = (rows: readonly AuditRow[]): string =>
  JSON.stringify(
    rows.map((row) => ({
      audit_id: row.auditId,
      actor: row.actor,
      source: row.source,
      ip: row.ip,
      action: row.action,
      resource_type: row.resourceType,
      resource_id: row.resourceId,
      correlation_id: row.correlationId,
      changes: row.changes,
    })),
  );

/** A change of one aggregate: its event and its audit row, in the caller's terms. */
export interface Change {
  readonly aggregateType: AggregateType;
  readonly aggregateId: string;
  /** The version that the aggregate has now: 1 for a new one. */
  readonly version: number;
  /** `<aggregate>.<past tense>`; also the audit row's action. */
  readonly type: string;
  readonly data: Record<string, unknown>;
  readonly changes: Changes;
  /** As `NewEvent.dedupeKey`. */
  readonly dedupeKey?: string;
}

/** The event of a change, stamped with its request. @throws RangeError a type that isn't in EVENT_TYPES */
export const eventOf = (ctx: OpContext, change: Change): NewEvent => ({
  eventId: newId(),
  aggregateType: change.aggregateType,
  aggregateId: change.aggregateId,
  keySeq: change.version,
  type: change.type,
  version: writtenVersion(change.type),
  data: change.data,
  correlationId: ctx.correlationId,
  traceparent: ctx.traceparent,
  actor: ctx.actor.subject,
  receivedAt: ctx.receivedAt,
  dedupeKey: change.dedupeKey ?? null,
});

/** The audit row of a change: who, what, when, from where, what changed. */
export const auditOf = (ctx: OpContext, change: Change): AuditRow => ({
  auditId: newId(),
  actor: ctx.actor.subject,
  source: ctx.source,
  ip: ctx.ip,
  action: change.type,
  resourceType: change.aggregateType,
  resourceId: change.aggregateId,
  correlationId: ctx.correlationId,
  changes: change.changes,
});

const APPEND = sql('outbox.append_changes', `WITH ${appendChangesCtes(1, 2, 3)} SELECT 1`);

/**
 * Appends the events and audit rows of changes in the transaction that makes them. Every mutation of every aggregate
 * ends with this call, in one way or the other; the relay is woken after the commit.
 * @throws DomainError EVENT_TOO_LARGE (413)
 */
export async function appendChanges(tx: Tx, ctx: OpContext, changes: readonly Change[]): Promise<void> {
  await tx.query(APPEND, [
    tx.tenantId,
    eventRows(changes.map((change) => eventOf(ctx, change))),
    auditRows(changes.map((change) => auditOf(ctx, change))),
  ]);
  tx.afterCommit(wakeRelay);
}

const sleepers = new Set<() => void>();

/** Tells the relays of this process, and whoever listens for other processes, that events are committed. Never throws. */
export function wakeRelay(): void {
  for (const wake of sleepers) wake();
}

/** Calls `wake` after each commit that appended events; the answer unsubscribes. `wake` coalesces and must not throw. */
export function onEventsCommitted(wake: () => void): () => void {
  sleepers.add(wake);
  return () => sleepers.delete(wake);
}
