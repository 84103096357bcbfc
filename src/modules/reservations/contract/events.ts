import type { IsoDate } from '../../../platform/kernel/dates.js';
import {
  CURRENCY,
  DATE,
  FLAG,
  ID,
  label,
  list,
  nullable,
  object,
  oneOf,
  whole,
} from '../../../platform/kernel/json-schema.js';
import type { EventTypes } from '../../outbox/contract/events.js';

/** Statuses that events may tell of. */
const STATUSES = [
  'HELD',
  'CONFIRMED',
  'CHECKED_IN',
  'CHECKED_OUT',
  'CANCELLED',
  'NO_SHOW',
  'EXPIRED',
] as const;
const ORIGINS = ['http', 'cli', 'import', 'system'] as const;

/** Of the state before an event, what a projection has to take back. */
export interface EarlierReservation {
  readonly propertyId: string;
  readonly status: (typeof STATUSES)[number];
  readonly arrival: IsoDate;
  /** One amount a night, minor units. */
  readonly nightlyMinor: readonly number[];
}

/** All events of a reservation: its state from then on. */
export interface ReservationEvent extends EarlierReservation {
  readonly confirmationNumber: string;
  readonly roomTypeId: string;
  readonly ratePlanId: string;
  readonly guestId: string;
  readonly departure: IsoDate;
  readonly dayUse: boolean;
  readonly adults: number;
  readonly children: number;
  readonly babies: number;
  readonly currency: string;
  readonly roomNumber: string | null;
  readonly origin: (typeof ORIGINS)[number];
  readonly externalId: string | null;
  /** Null for a new one. */
  readonly previous: EarlierReservation | null;
}

const earlier = {
  propertyId: ID,
  status: oneOf(...STATUSES),
  arrival: DATE,
  nightlyMinor: list(whole(-100_000_000_000, 100_000_000_000), 365),
};
const people = whole(0, 99);
const reservation = object<ReservationEvent>({
  ...earlier,
  confirmationNumber: { type: 'string', pattern: '^[2-9A-HJKMNP-TV-Z]{8}$' },
  roomTypeId: ID,
  ratePlanId: ID,
  guestId: ID,
  departure: DATE,
  dayUse: FLAG,
  adults: people,
  children: people,
  babies: people,
  currency: CURRENCY,
  roomNumber: nullable(label(20)),
  origin: oneOf(...ORIGINS),
  externalId: nullable(label(100)),
  previous: nullable(object<EarlierReservation>(earlier)),
});

const event = (about: string) => ({ about, versions: { 1: reservation } });

export const RESERVATION_EVENTS = {
  'reservation.created': event('A reservation was confirmed at once.'),
  'reservation.held': event('The nights of a reservation are held for a while.'),
  'reservation.confirmed': event('A hold was confirmed.'),
  'reservation.modified': event('Dates, type, party, plan or price are others.'),
  'reservation.departure_changed': event('A stay in house was extended or shortened.'),
  'reservation.cancelled': event('A reservation was cancelled, its nights are given back.'),
  'reservation.no_show': event('Nobody came, the nights are given back.'),
  'reservation.expired': event('A hold is past its time, its nights are given back.'),
  'reservation.checked_in': event('The guest is in house.'),
  'reservation.checked_out': event('The guest has left.'),
  'reservation.reinstated': event('A cancelled or no-show reservation was taken up again.'),
} satisfies EventTypes;
