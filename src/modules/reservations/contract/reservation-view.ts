import { nightsOf } from '../../../platform/kernel/dates.js';
import { totalMinor, type Reservation } from '../domain/reservation.js';

/** A reservation as REST, the CLI and kept answers show it. Money in minor units of `currency`; times UTC. */
export interface ReservationView {
  readonly id: string;
  readonly confirmationNumber: string;
  readonly status: string;
  readonly propertyId: string;
  readonly roomTypeId: string;
  readonly ratePlanId: string;
  readonly guestId: string;
  readonly arrival: string;
  readonly departure: string;
  readonly dayUse: boolean;
  readonly party: { readonly adults: number; readonly children: number; readonly babies: number };
  readonly price: {
    readonly currency: string;
    readonly totalMinor: number;
    readonly nights: readonly { readonly night: string; readonly amountMinor: number }[];
    readonly overrideReason: string | null;
  };
  readonly holdExpiresAt: string | null;
  readonly cancelReason: string | null;
  readonly roomNumber: string | null;
  readonly origin: string;
  readonly externalId: string | null;
  readonly version: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** The view of a reservation. */
export function reservationView(reservation: Reservation): ReservationView {
  const nights = nightsOf(reservation.arrival, reservation.departure);
  return {
    id: reservation.reservationId,
    confirmationNumber: reservation.confirmationNumber,
    status: reservation.status,
    propertyId: reservation.propertyId,
    roomTypeId: reservation.roomTypeId,
    ratePlanId: reservation.ratePlanId,
    guestId: reservation.guestId,
    arrival: reservation.arrival,
    departure: reservation.departure,
    dayUse: reservation.dayUse,
    party: { adults: reservation.adults, children: reservation.children, babies: reservation.babies },
    price: {
      currency: reservation.currency,
      totalMinor: totalMinor(reservation),
      nights: nights.map((night, i) => ({ night, amountMinor: reservation.nightlyMinor[i]! })),
      overrideReason: reservation.overrideReason,
    },
    holdExpiresAt: reservation.holdExpiresAt?.toISOString() ?? null,
    cancelReason: reservation.cancelReason,
    roomNumber: reservation.roomNumber,
    origin: reservation.origin,
    externalId: reservation.externalId,
    version: reservation.version,
    createdAt: reservation.createdAt.toISOString(),
    updatedAt: reservation.updatedAt.toISOString(),
  };
}
