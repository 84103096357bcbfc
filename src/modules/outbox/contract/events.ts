import type { JsonSchema } from '../../../platform/kernel/json-schema.js';

/** Nouns that events are about; the first part of an event type. */
export type AggregateType = 'tenant' | 'property' | 'room_type' | 'rate_plan' | 'guest' | 'reservation';

/** An event as its producer states it. `keySeq` is the aggregate's new version, taken under its row lock. */
export interface NewEvent {
  readonly eventId: string;
  readonly aggregateType: AggregateType;
  readonly aggregateId: string;
  readonly keySeq: number;
  /** `<aggregate>.<past tense>`: `reservation.created`. */
  readonly type: string;
  readonly version: number;
  /** Ids, numbers, dates, codes. Never a person's name, address, mail or telephone number. */
  readonly data: Record<string, unknown>;
  readonly correlationId: string;
  readonly traceparent: string;
  readonly actor: string;
  readonly receivedAt: Date;
  /**
   * 1 to 200 characters. While an event with this key waits to be published, no other of the tenant's may: ask `isQueued` before
   * the aggregate's version is raised. Null or absent: never deduplicated.
   */
  readonly dedupeKey?: string | null;
}

/** An event as it stands in the log: the JSON value of its record. */
export interface EventEnvelope {
  readonly eventId: string;
  readonly tenantId: string;
  readonly type: string;
  readonly version: number;
  readonly aggregateType: AggregateType;
  readonly aggregateId: string;
  readonly keySeq: number;
  /** ISO 8601, UTC, microseconds: part of the key under which its checkpoints are stored. */
  readonly occurredAt: string;
  readonly correlationId: string;
  readonly data: Record<string, unknown>;
}

/** Slots into which keys are spread; a slot is worked by one relay at a time. Fixed: a check constraint repeats it. */
export const SLOTS = 16;

/** Priorities by which events leave, highest first. */
export const PRIORITIES = [0, 1] as const;

/** The priority of a key. By its type alone: were it to change in a key's life, its events would overtake each other. */
export const priorityOf = (type: AggregateType): (typeof PRIORITIES)[number] =>
  type === 'reservation' ? 0 : 1;

/** The slot of a key: the last four bits of its UUID, which are random. */
export const slotOf = (aggregateId: string): number => parseInt(aggregateId.slice(-1), 16);

/** A type of events: what it tells, and the schema of its data by version. The highest version is the one that is written. */
export interface EventType {
  readonly about: string;
  readonly versions: Readonly<Record<number, JsonSchema>>;
}

/** Types of events by name, `<aggregate>.<past tense>`. */
export type EventTypes = Readonly<Record<`${AggregateType}.${string}`, EventType>>;

/** The `$id` of the schema of a record's value, which the record names in `ce_dataschema`. */
export const schemaIdOf = (type: string, version: number): string => `urn:tartware:event:${type}:${version}`;
