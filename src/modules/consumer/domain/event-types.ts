import { isIsoDate, nightsBetween } from '../../../platform/kernel/dates.js';
import { isUuid } from '../../../platform/kernel/ids.js';

/** Says what is wrong with an event's data, or null. */
type DataCheck = (data: Record<string, unknown>) => string | null;

const STATUSES = new Set([
  'HELD',
  'CONFIRMED',
  'CHECKED_IN',
  'CHECKED_OUT',
  'CANCELLED',
  'NO_SHOW',
  'EXPIRED',
]);
const MAX_NIGHTS = 365;

const isAmounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= MAX_NIGHTS && value.every(Number.isSafeInteger);

/** The part of a reservation's state that projections build on; `previous` holds the same. */
function stateFault(state: Record<string, unknown>, where: string): string | null {
  if (typeof state['propertyId'] !== 'string' || !isUuid(state['propertyId']))
    return `${where}propertyId is no id`;
  if (!STATUSES.has(state['status'] as string)) return `${where}status is unknown`;
  if (typeof state['arrival'] !== 'string' || !isIsoDate(state['arrival']))
    return `${where}arrival is no date`;
  if (!isAmounts(state['nightlyMinor'])) return `${where}nightlyMinor is no list of amounts`;
  return null;
}

const reservationV1: DataCheck = (data) => {
  const fault = stateFault(data, '');
  if (fault) return fault;
  const { arrival, departure, nightlyMinor, previous } = data;
  if (typeof departure !== 'string' || !isIsoDate(departure)) return 'departure is no date';
  if (nightsBetween(arrival as never, departure) !== (nightlyMinor as unknown[]).length)
    return 'nightlyMinor has not one amount a night';
  if (previous === null) return null;
  if (typeof previous !== 'object' || Array.isArray(previous)) return 'previous is neither a state nor null';
  return stateFault(previous as Record<string, unknown>, 'previous.');
};

const anyObject: DataCheck = () => null;

/**
 * The aggregates and versions whose events this consumer understands; what isn't named here is dead-lettered, loudly. Within
 * an aggregate the name after the dot is free: all events of one version carry the same data, the state after the event.
 */
const CONTRACTS = {
  reservation: new Map([[1, reservationV1]]),
  property: new Map([[1, anyObject]]),
  room_type: new Map([[1, anyObject]]),
  rate_plan: new Map([[1, anyObject]]),
  guest: new Map([[1, anyObject]]),
  tenant: new Map([[1, anyObject]]),
} satisfies Record<string, ReadonlyMap<number, DataCheck>>;

/** Nouns that events may be about. */
export type KnownAggregate = keyof typeof CONTRACTS;

/** What is wrong with a type, version or data. */
export interface ContractFault {
  readonly code: 'UNKNOWN_EVENT_TYPE' | 'UNKNOWN_EVENT_VERSION' | 'INVALID_EVENT_DATA';
  readonly cause: string;
}

/** Checks an event against its contract; null when it holds. */
export function contractFault(event: {
  readonly type: string;
  readonly version: number;
  readonly aggregateType: string;
  readonly data: Record<string, unknown>;
}): ContractFault | null {
  const [aggregate, name, ...rest] = event.type.split('.');
  const versions = Object.hasOwn(CONTRACTS, aggregate!) ? CONTRACTS[aggregate as KnownAggregate] : undefined;
  if (
    !versions ||
    aggregate !== event.aggregateType ||
    !/^[a-z][a-z_]{1,40}$/.test(name ?? '') ||
    rest.length > 0
  )
    return { code: 'UNKNOWN_EVENT_TYPE', cause: 'no contract for this type' };
  const check = versions.get(event.version);
  if (!check)
    return {
      code: 'UNKNOWN_EVENT_VERSION',
      cause: `no contract for version ${event.version} of ${event.type}`,
    };
  const cause = check(event.data);
  return cause === null ? null : { code: 'INVALID_EVENT_DATA', cause };
}
