import type { Source } from '../../../platform/context/op-context.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import type { Status } from './moves.js';

/** Most people in a party, adults, children and babies together. */
export const MAX_PARTY = 99;
/** Most nights of a stay. */
export const MAX_NIGHTS = 365;
/** Farthest arrival after the business date, in days. */
export const MAX_DAYS_AHEAD = 1000;
/** Largest price of a night, in minor units: 10^11, so that any sum stays exact in a double. */
export const MAX_AMOUNT = 100_000_000_000;

/** A stay of one party in one room. Dates are the property's, half-open `[arrival, departure)`; money is in minor units. */
export interface Reservation {
  readonly reservationId: string;
  readonly propertyId: string;
  readonly confirmationNumber: string;
  readonly status: Status;
  readonly roomTypeId: string;
  readonly ratePlanId: string;
  readonly guestId: string;
  readonly arrival: IsoDate;
  readonly departure: IsoDate;
  /** True, and only then, when arrival = departure: no night taken. */
  readonly dayUse: boolean;
  readonly adults: number;
  readonly children: number;
  readonly babies: number;
  readonly currency: string;
  /** The agreed price of each night, in order from the arrival. */
  readonly nightlyMinor: readonly number[];
  readonly overrideReason: string | null;
  readonly holdExpiresAt: Date | null;
  readonly cancelReason: string | null;
  readonly roomNumber: string | null;
  readonly origin: Source;
  readonly externalId: string | null;
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** What a stay costs, in minor units. */
export const totalMinor = (reservation: Pick<Reservation, 'nightlyMinor'>): number =>
  reservation.nightlyMinor.reduce((sum, amount) => sum + amount, 0);
