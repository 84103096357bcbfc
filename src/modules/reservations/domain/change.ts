import type { ReservationEvent } from '../contract/events.js';
import type { Decision } from './decide.js';
import type { Reservation } from './reservation.js';

/** Fields whose text a person typed and may have written a name into: the audit says that they changed, not to what. */
const FREE_TEXT: ReadonlySet<keyof Reservation> = new Set(['overrideReason', 'cancelReason']);
const BOOKKEEPING: ReadonlySet<keyof Reservation> = new Set(['version', 'createdAt', 'updatedAt']);

/** What changed, field by field, as [before, after]; a new reservation shows what it began with. */
export function changesOf({ before, after }: Decision): Record<string, unknown> {
  const changes: Record<string, unknown> = {};
  for (const field of Object.keys(after) as (keyof Reservation)[]) {
    if (BOOKKEEPING.has(field)) continue;
    const old = before?.[field] ?? null;
    const now = after[field];
    if (JSON.stringify(old) === JSON.stringify(now)) continue;
    changes[field] = FREE_TEXT.has(field) ? 'changed' : [old, now];
  }
  return changes;
}

/** The data of a reservation's event: its state after and, of the state before, what a projection has to take back. */
export function eventData({ before, after }: Decision): Record<string, unknown> {
  return {
    propertyId: after.propertyId,
    confirmationNumber: after.confirmationNumber,
    status: after.status,
    roomTypeId: after.roomTypeId,
    ratePlanId: after.ratePlanId,
    guestId: after.guestId,
    arrival: after.arrival,
    departure: after.departure,
    dayUse: after.dayUse,
    adults: after.adults,
    children: after.children,
    babies: after.babies,
    currency: after.currency,
    nightlyMinor: after.nightlyMinor,
    roomNumber: after.roomNumber,
    origin: after.origin,
    externalId: after.externalId,
    previous: before && {
      propertyId: before.propertyId,
      status: before.status,
      arrival: before.arrival,
      nightlyMinor: before.nightlyMinor,
    },
  } satisfies ReservationEvent;
}
