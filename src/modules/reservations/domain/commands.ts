import type { IsoDate } from '../../../platform/kernel/dates.js';
import type { MoveCommand } from './moves.js';

export interface Party {
  readonly adults: number;
  readonly children: number;
  readonly babies: number;
}

export interface StayDates {
  readonly arrival: IsoDate;
  readonly departure: IsoDate;
  readonly dayUse: boolean;
}

/** A price agreed by someone who may: one for every night, or one a night. Minor units; needs a reason. */
export interface PriceOverride {
  readonly amountMinor: number | readonly number[];
  readonly reason: string;
}

/** A new reservation, or a hold when `holdSeconds` is given. The caller makes the id. */
export interface CreateCommand extends Party, StayDates {
  readonly kind: 'create';
  readonly reservationId: string;
  readonly propertyId: string;
  readonly roomTypeId: string;
  readonly ratePlanId: string;
  readonly guestId: string;
  readonly holdSeconds: number | null;
  readonly override: PriceOverride | null;
  readonly externalId: string | null;
}

interface OnReservation {
  readonly reservationId: string;
  /** The version the caller has seen; null: whatever it is now. */
  readonly ifVersion: number | null;
}

/** Changes what is given; nights that stay as they were keep their agreed price. */
export interface ModifyCommand extends OnReservation, Partial<StayDates>, Partial<Party> {
  readonly kind: 'modify';
  readonly roomTypeId?: string;
  readonly ratePlanId?: string;
  readonly override: PriceOverride | null;
}

/** Extends or shortens a stay in house. */
export interface ChangeDepartureCommand extends OnReservation {
  readonly kind: 'change-departure';
  readonly departure: IsoDate;
}

/** A move along the published table. `reason` belongs to cancel, `roomNumber` to check-in. */
export interface MoveReservation extends OnReservation {
  readonly kind: MoveCommand;
  readonly reason?: string;
  readonly roomNumber?: string | null;
}

export type ReservationCommand = CreateCommand | ModifyCommand | ChangeDepartureCommand | MoveReservation;
