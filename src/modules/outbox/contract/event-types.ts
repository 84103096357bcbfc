import { GUEST_EVENTS } from '../../guests/contract/events.js';
import { ROOM_TYPE_EVENTS } from '../../inventory/contract/events.js';
import { PROPERTY_EVENTS } from '../../properties/contract/events.js';
import { RATE_PLAN_EVENTS } from '../../rate-plans/contract/events.js';
import { RESERVATION_EVENTS } from '../../reservations/contract/events.js';
import { TENANT_EVENTS } from '../../tenants/contract/events.js';
import type { EventType } from './events.js';

/**
 * Every type of event that there is: what may be appended, what the consumer takes, and what docs/asyncapi is made of. Each
 * module states its own. A version changes by new members that may be missing, and in no other way: what else changes is the
 * next version.
 */
export const EVENT_TYPES: ReadonlyMap<string, EventType> = new Map<string, EventType>(
  Object.entries({
    ...TENANT_EVENTS,
    ...PROPERTY_EVENTS,
    ...ROOM_TYPE_EVENTS,
    ...RATE_PLAN_EVENTS,
    ...GUEST_EVENTS,
    ...RESERVATION_EVENTS,
  }),
);

const WRITTEN: ReadonlyMap<string, number> = new Map(
  [...EVENT_TYPES].map(([name, { versions }]) => [name, Math.max(...Object.keys(versions).map(Number))]),
);

/** The version that events of a type are written in. @throws RangeError a type that nobody would understand */
export function writtenVersion(type: string): number {
  const version = WRITTEN.get(type);
  if (version === undefined) throw new RangeError(`no event type ${type}`);
  return version;
}
