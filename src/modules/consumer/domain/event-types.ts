import { nightsBetween, type IsoDate } from '../../../platform/kernel/dates.js';
import { compileSchema, type Check } from '../../../platform/kernel/json-schema.js';
import { EVENT_TYPES } from '../../outbox/contract/event-types.js';
import type { AggregateType } from '../../outbox/contract/events.js';

/** Nouns that events may be about. */
export type KnownAggregate = AggregateType;

/** By type and version; made once, so that a record costs some comparisons and no look at a schema. */
const CONTRACTS: ReadonlyMap<string, ReadonlyMap<number, Check>> = new Map(
  [...EVENT_TYPES].map(([type, { versions }]) => [
    type,
    new Map(
      Object.entries(versions).map(([version, schema]) => [Number(version), compileSchema(schema)] as const),
    ),
  ]),
);

/** What is wrong with a type, version or data. */
export interface ContractFault {
  readonly code: 'UNKNOWN_EVENT_TYPE' | 'UNKNOWN_EVENT_VERSION' | 'INVALID_EVENT_DATA';
  readonly cause: string;
}

/** Checks an event against its contract; null when it holds. What isn't in the registry is dead-lettered, loudly. */
export function contractFault(event: {
  readonly type: string;
  readonly version: number;
  readonly aggregateType: string;
  readonly data: Record<string, unknown>;
}): ContractFault | null {
  const versions = CONTRACTS.get(event.type);
  if (!versions || !event.type.startsWith(`${event.aggregateType}.`))
    return { code: 'UNKNOWN_EVENT_TYPE', cause: 'no contract for this type' };
  const check = versions.get(event.version);
  if (!check)
    return {
      code: 'UNKNOWN_EVENT_VERSION',
      cause: `no contract for version ${event.version} of ${event.type}`,
    };
  const fault = check(event.data);
  if (fault !== null) return { code: 'INVALID_EVENT_DATA', cause: `data${fault}` };
  if (event.aggregateType === 'reservation' && !hasPricedNights(event.data))
    return { code: 'INVALID_EVENT_DATA', cause: 'data.nightlyMinor has not one amount a night' };
  return null;
}

/** What no schema can say: projections take the nights from the prices. */
const hasPricedNights = (data: Record<string, unknown>): boolean =>
  nightsBetween(data['arrival'] as IsoDate, data['departure'] as IsoDate) ===
  (data['nightlyMinor'] as readonly number[]).length;
