import type { ReadRecord } from '../../../platform/event-log/event-log.js';
import { isIsoDate } from '../../../platform/kernel/dates.js';
import { isUuid } from '../../../platform/kernel/ids.js';
import type { EventEnvelope } from '../../outbox/contract/events.js';
import { contractFault } from './event-types.js';
import { describeFailure, type FailureCode } from './failures.js';

/** A record that holds an event which may be applied. */
export interface GoodRecord {
  readonly kind: 'event';
  readonly record: ReadRecord;
  readonly event: EventEnvelope;
}

/** What could be learnt of a bad record's event and can be trusted. */
export type Identity = Pick<EventEnvelope, 'eventId' | 'tenantId' | 'aggregateId' | 'keySeq' | 'occurredAt'>;

/** A record that will never be applied as it is. */
export interface BadRecord {
  readonly kind: 'bad';
  readonly record: ReadRecord;
  readonly code: FailureCode | string;
  readonly cause: string;
  readonly retryCount: number;
  /** Null: nobody knows whose it is, and it goes to the platform's own tenant. */
  readonly identity: Identity | null;
}

export type DecodedRecord = GoodRecord | BadRecord;

const TIME = /^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?Z$/;
const MAX_SEQ = 2 ** 31 - 1;

/** Reads a record, whoever wrote it: any bytes at all give an answer, and never a throw. */
export function decodeRecord(record: ReadRecord): DecodedRecord {
  const bad = (code: FailureCode, cause: string, identity: Identity | null = null): BadRecord => ({
    kind: 'bad',
    record,
    code,
    cause,
    identity,
    retryCount: 0,
  });
  const value = parse(record.value);
  if (value === undefined) return bad('NOT_JSON', record.value === null ? 'the record has no value' : 'the value is no JSON');
  const fault = envelopeFault(value);
  if (fault !== null) return bad('INVALID_ENVELOPE', fault);
  const event = value as EventEnvelope;
  // Checked before anything is filed under the tenant that the body names: a foreign event must not park a key of theirs.
  if (record.headers['ce_tenantid'] !== event.tenantId) return bad('TENANT_MISMATCH', 'header and body name different tenants');
  if (record.key !== event.aggregateId) return bad('KEY_MISMATCH', "the record's key is not the aggregate's id");
  const contract = contractFault(event);
  if (contract) return bad(contract.code, contract.cause, event);
  return { kind: 'event', record, event };
}

/** The same record once it was tried and given up. */
export const buried = (good: GoodRecord, error: unknown, retryCount: number): BadRecord => ({
  kind: 'bad',
  record: good.record,
  identity: good.event,
  retryCount,
  ...describeFailure(error),
});

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
  const { keySeq, version, type, aggregateType, occurredAt, data } = envelope;
  if (!isCount(keySeq)) return 'keySeq is no version';
  if (!isCount(version)) return 'version is no version';
  if (typeof type !== 'string' || typeof aggregateType !== 'string') return 'type or aggregateType is no text';
  if (typeof occurredAt !== 'string' || !isTime(occurredAt)) return 'occurredAt is no time in UTC';
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return 'data is no object';
  return null;
}

const isCount = (value: unknown): boolean =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_SEQ;

function isTime(text: string): boolean {
  const [date, time, ...rest] = text.split('T');
  return rest.length === 0 && isIsoDate(date ?? '') && TIME.test(time ?? '');
}
