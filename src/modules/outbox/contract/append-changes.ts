import type { OpContext } from '../../../platform/context/op-context.js';
import { RowList } from '../../../platform/database/row-list.js';
import { sql } from '../../../platform/database/sql.js';
import type { Tx } from '../../../platform/database/unit-of-work.js';
import { newId } from '../../../platform/kernel/ids.js';
import { fittingData } from './event-size.js';
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

const EVENTS = new RowList<NewEvent>({
  slot: ['smallint', (event) => slotOf(event.aggregateId)],
  priority: ['smallint', (event) => priorityOf(event.aggregateType)],
  dedupe_key: ['text', (event) => event.dedupeKey],
  aggregate_id: ['uuid', (event) => event.aggregateId],
  key_seq: ['int', (event) => event.keySeq],
  event_id: ['uuid', (event) => event.eventId],
  aggregate_type: ['text', (event) => event.aggregateType],
  event_type: ['text', (event) => event.type],
  event_version: ['smallint', (event) => event.version],
  data: ['json', fittingData],
  correlation_id: ['uuid', (event) => event.correlationId],
  traceparent: ['text', (event) => event.traceparent],
  actor: ['text', (event) => event.actor],
  received_at: ['timestamptz', (event) => event.receivedAt.toISOString()],
});

const AUDIT_ROWS = new RowList<AuditRow>({
  audit_id: ['uuid', (row) => row.auditId],
  actor: ['text', (row) => row.actor],
  source: ['text', (row) => row.source],
  ip: ['inet', (row) => row.ip],
  action: ['text', (row) => row.action],
  resource_type: ['text', (row) => row.resourceType],
  resource_id: ['uuid', (row) => row.resourceId],
  correlation_id: ['uuid', (row) => row.correlationId],
  changes: ['json', (row) => JSON.stringify(row.changes)],
});

/**
 * The common table expressions that append events (log and queue) and audit rows, for a data-modifying statement.
 * `tenant` is a parameter's number, `first` that of the first of what `appended` answers.
 * The queue's ids follow the order of the list, so that one key's events of one transaction keep theirs.
 */
export const appendChangesCtes = (tenant: number, first: number): string => `
  new_events AS (SELECT * FROM ${EVENTS.from(first)} e),
  logged AS (
    INSERT INTO outbox_events (tenant_id, aggregate_id, key_seq, occurred_at, event_id, aggregate_type, event_type,
      event_version, data, correlation_id, traceparent, actor, received_at)
    SELECT $${tenant}, aggregate_id, key_seq, now(), event_id, aggregate_type, event_type, event_version, data,
      correlation_id, traceparent, actor, received_at FROM new_events),
  queued AS (
    INSERT INTO outbox_queue (slot, priority, tenant_id, aggregate_id, key_seq, occurred_at, dedupe_key)
    SELECT slot, priority, $${tenant}, aggregate_id, key_seq, now(), dedupe_key FROM new_events ORDER BY ord),
  audited AS (
    INSERT INTO audit_log (tenant_id, ${AUDIT_ROWS.names})
    SELECT $${tenant}, ${AUDIT_ROWS.names} FROM ${AUDIT_ROWS.from(first + EVENTS.width)} a)`;

/** The parameters of `appendChangesCtes`. @throws DomainError EVENT_TOO_LARGE (413) */
export const appended = (events: readonly NewEvent[], audit: readonly AuditRow[]): unknown[] => [
  ...EVENTS.values(events),
  ...AUDIT_ROWS.values(audit),
];

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

const APPEND = sql('outbox.append_changes', `WITH ${appendChangesCtes(1, 2)} SELECT 1`);

/**
 * Appends the events and audit rows of changes in the transaction that makes them. Every mutation of every aggregate
 * ends with this call, in one way or the other; the relay is woken after the commit.
 * @throws DomainError EVENT_TOO_LARGE (413)
 */
export async function appendChanges(tx: Tx, ctx: OpContext, changes: readonly Change[]): Promise<void> {
  await tx.query(APPEND, [
    tx.tenantId,
    ...appended(
      changes.map((change) => eventOf(ctx, change)),
      changes.map((change) => auditOf(ctx, change)),
    ),
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
