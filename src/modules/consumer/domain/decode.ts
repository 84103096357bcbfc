import { isUtcTime } from '../../../platform/kernel/dates.js';
import { isUuid } from '../../../platform/kernel/ids.js';
import { contractFault, type KnownAggregate } from './event-types.js';
import { type Identity, type IncomingRecord, REPLAY_HEADERS, type ReplayMark } from './incoming.js';

/** Why a record is in the dead letters. Besides these: `SQLSTATE_<code>` and the codes of DomainErrors. */
export type FailureCode =
  | 'NOT_JSON'
  | 'INVALID_ENVELOPE'
  | 'UNKNOWN_EVENT_TYPE'
  | 'UNKNOWN_EVENT_VERSION'
  | 'INVALID_EVENT_DATA'
  | 'TENANT_MISMATCH'
  | 'KEY_MISMATCH'
  | 'KEY_GAP'
  | 'KEY_PARKED'
  | 'KEY_REWIND'
  | 'PROJECTION_FAILED';

/** An event as its envelope tells it, checked. */
export interface IncomingEvent extends Identity {
  readonly type: string;
  readonly version: number;
  readonly aggregateType: KnownAggregate;
  readonly correlationId: string;
  readonly data: Record<string, unknown>;
  /** Of the record's headers, not of the envelope: the request's trace, a span of this consumer's own. */
  readonly traceparent?: string;
}

/** A record that holds an event which may be applied. */
export interface GoodRecord {
  readonly kind: 'event';
  readonly record: IncomingRecord;
  readonly event: IncomingEvent;
  /** Null: no replay. */
  readonly replayOf: ReplayMark | null;
}

/** A record that will never be applied as it is. */
export interface BadRecord {
  readonly kind: 'bad';
  readonly record: IncomingRecord;
  readonly code: FailureCode | string;
  readonly cause: string;
  readonly retryCount: number;
  /** Null: nobody knows whose it is, and it goes to the platform's own tenant. */
  readonly identity: Identity | null;
  readonly replayOf: ReplayMark | null;
}

export type DecodedRecord = GoodRecord | BadRecord;

const MAX_SEQ = 2 ** 31 - 1;

/** Reads a record, whoever wrote it: any bytes at all give an answer, and never a throw. */
export function decodeRecord(record: IncomingRecord): DecodedRecord {
  const replayOf = replayMark(record.headers);
  const bad = (code: FailureCode, cause: string, identity: Identity | null = null): BadRecord => ({
    kind: 'bad',
    record,
    code,
    cause,
    identity,
    retryCount: 0,
    replayOf,
  });
  const value = parse(record.value);
  if (value === undefined)
    return bad('NOT_JSON', record.value === null ? 'the record has no value' : 'the value is no JSON');
  const fault = envelopeFault(value);
  if (fault !== null) return bad('INVALID_ENVELOPE', fault);
  const event = value as IncomingEvent;
  // Checked before anything is filed under the tenant that the body names: a foreign event must not park a key of theirs.
  if (record.headers['ce_tenantid'] !== event.tenantId)
    return bad('TENANT_MISMATCH', 'header and body name different tenants');
  if (record.key !== event.aggregateId)
    return bad('KEY_MISMATCH', "the record's key is not the aggregate's id");
  const contract = contractFault(event);
  if (contract) return bad(contract.code, contract.cause, event);
  return { kind: 'event', record, event, replayOf };
}

function replayMark(headers: IncomingRecord['headers']): ReplayMark | null {
  const deadLetterId = headers[REPLAY_HEADERS.deadLetterId] ?? '';
  const replay = Number(headers[REPLAY_HEADERS.replay]);
  return isUuid(deadLetterId) && isCount(replay) ? { deadLetterId, replay } : null;
}

function parse(value: Buffer | null): unknown {
  if (value === null) return undefined;
  try {
    return JSON.parse(value.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

function envelopeFault(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'the value is no object';
  const envelope = value as Record<string, unknown>;
  for (const name of ['eventId', 'tenantId', 'aggregateId', 'correlationId'])
    if (typeof envelope[name] !== 'string' || !isUuid(envelope[name])) return `${name} is no id`;
  const { keySeq, version, type, aggregateType, occurredAt, data, replay } = envelope;
  if (!isCount(keySeq)) return 'keySeq is no version';
  if (!isCount(version)) return 'version is no version';
  if (replay !== undefined && !isCount(replay)) return 'replay is no count';
  if (typeof type !== 'string' || typeof aggregateType !== 'string')
    return 'type or aggregateType is no text';
  if (typeof occurredAt !== 'string' || !isUtcTime(occurredAt)) return 'occurredAt is no time in UTC';
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return 'data is no object';
  return null;
}

const isCount = (value: unknown): boolean =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_SEQ;
