import { schemaIdOf } from '../contract/events.js';

/** An event as it is claimed from the outbox. */
export interface OutboxEvent {
  readonly slot: number;
  readonly priority: number;
  readonly queueId: string;
  readonly tenantId: string;
  readonly aggregateId: string;
  readonly keySeq: number;
  /** ISO 8601, UTC, microseconds. */
  readonly occurredAt: string;
  readonly eventId: string;
  readonly aggregateType: string;
  readonly type: string;
  readonly version: number;
  /** JSON as it was stored: not parsed on the way. */
  readonly data: string;
  readonly correlationId: string;
  readonly traceparent: string;
  /** Tries that the log refused, when the event is the head of a key that waits for its next one; else 0. */
  readonly attempts: number;
}

/** The JSON value of an event's record: an EventEnvelope. `data` goes in as it is, which spares parsing and keeps its bytes. */
export function envelopeJson(event: OutboxEvent): string {
  const head = JSON.stringify({
    eventId: event.eventId,
    tenantId: event.tenantId,
    type: event.type,
    version: event.version,
    aggregateType: event.aggregateType,
    aggregateId: event.aggregateId,
    keySeq: event.keySeq,
    occurredAt: event.occurredAt,
    correlationId: event.correlationId,
  });
  return `${head.slice(0, -1)},"data":${event.data}}`;
}

/** What the event log takes. */
interface EventRecord {
  readonly partition: number;
  readonly key: string;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** The record of an event: CloudEvents 1.0 in Kafka's binary mode, trace context beside it. */
export const toLogRecord = (event: OutboxEvent, partition: number): EventRecord => ({
  partition,
  key: event.aggregateId,
  value: Buffer.from(envelopeJson(event)),
  headers: {
    ce_id: event.eventId,
    ce_type: event.type,
    ce_source: 'tartware',
    ce_specversion: '1.0',
    ce_time: event.occurredAt,
    ce_subject: event.aggregateId,
    ce_dataschema: schemaIdOf(event.type, event.version),
    ce_tenantid: event.tenantId,
    ce_correlationid: event.correlationId,
    ce_partitionkey: event.aggregateId,
    traceparent: event.traceparent,
    'content-type': 'application/json',
  },
});
