import type { Reservation } from '../domain/reservation.js';

/** The columns of a reservation under the domain's names. */
export const RESERVATION_COLUMNS = `
  r.reservation_id AS "reservationId", r.property_id AS "propertyId", r.confirmation_number AS "confirmationNumber",
  r.status, r.room_type_id AS "roomTypeId", r.rate_plan_id AS "ratePlanId", r.guest_id AS "guestId", r.arrival,
  r.departure, r.day_use AS "dayUse", r.adults, r.children, r.babies, r.currency, r.nightly_minor AS "nightlyMinor",
  r.override_reason AS "overrideReason", r.hold_expires_at AS "holdExpiresAt", r.cancel_reason AS "cancelReason",
  r.room_number AS "roomNumber", r.origin, r.external_id AS "externalId", r.version, r.created_at AS "createdAt",
  r.updated_at AS "updatedAt"`;

/** The row that a statement with `RESERVATION_COLUMNS` answers is the domain's reservation as it is. */
export type ReservationRow = Reservation;
