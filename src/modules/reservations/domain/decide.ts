import { may, requirePermission, type OpContext } from '../../../platform/context/op-context.js';
import { nightsOf, type IsoDate } from '../../../platform/kernel/dates.js';
import { conflict, DomainError, invalid } from '../../../platform/kernel/errors.js';
import type {
  ChangeDepartureCommand,
  CreateCommand,
  ModifyCommand,
  MoveReservation,
  PriceOverride,
  ReservationCommand,
} from './commands.js';
import type { House } from './house.js';
import { permits, targetOf, type MoveCommand } from './moves.js';
import { MAX_AMOUNT, type Reservation } from './reservation.js';
import {
  arrivalMustBeBookable,
  holdMustStand,
  illegalMove,
  partyMustFit,
  stayDatesMustBeInOrder,
} from './rules.js';

/** What a command did: the reservation before (null: a new one) and after, and the event's type. */
export interface Decision {
  readonly before: Reservation | null;
  readonly after: Reservation;
  readonly eventType: string;
}

const EVENT_OF: Readonly<Record<MoveCommand, string>> = {
  confirm: 'reservation.confirmed',
  cancel: 'reservation.cancelled',
  expire: 'reservation.expired',
  'no-show': 'reservation.no_show',
  'check-in': 'reservation.checked_in',
  'check-out': 'reservation.checked_out',
  reinstate: 'reservation.reinstated',
};

/** Holds last from a minute to a day. */
export const HOLD_SECONDS = { min: 60, max: 86_400, usual: 900 } as const;

/**
 * The agreed price of each night.
 * @throws DomainError PERMISSION_DENIED, OVERRIDE_REASON_REQUIRED, PRICE_OUT_OF_RANGE, PRICE_COUNT_INVALID
 */
function overriddenPrices(ctx: OpContext, override: PriceOverride, nights: number): number[] {
  requirePermission(ctx, 'reservation:override-price');
  if (override.reason.trim() === '')
    throw invalid('OVERRIDE_REASON_REQUIRED', 'priceOverride.reason', 'A price override needs a reason.');
  const { amountMinor } = override;
  const amounts =
    typeof amountMinor === 'number' ? Array<number>(nights).fill(amountMinor) : [...amountMinor];
  if (amounts.length !== nights)
    throw invalid(
      'PRICE_COUNT_INVALID',
      'priceOverride.amountMinor',
      `Give one price, or one for each of the ${nights} nights.`,
    );
  // An import repeats what was agreed elsewhere, and credits were.
  const least = ctx.source === 'import' && may(ctx, 'reservation:import') ? -MAX_AMOUNT : 0;
  if (amounts.some((amount) => !Number.isSafeInteger(amount) || amount < least || amount > MAX_AMOUNT))
    throw invalid(
      'PRICE_OUT_OF_RANGE',
      'priceOverride.amountMinor',
      `A price lies between ${least} and ${MAX_AMOUNT} minor units.`,
    );
  return amounts;
}

function create(house: House, ctx: OpContext, command: CreateCommand): Decision {
  if (house.has(command.reservationId))
    throw conflict('RESERVATION_EXISTS', 'There is a reservation with this id already.');
  const property = house.property(command.propertyId);
  const roomType = house.roomType(command.roomTypeId, property.propertyId);
  const plan = house.ratePlan(command.ratePlanId, property.propertyId);
  if (!plan.active) throw conflict('RATE_PLAN_INACTIVE', 'This rate plan is not sold any more.');
  house.guestMustExist(command.guestId);
  stayDatesMustBeInOrder(command);
  arrivalMustBeBookable(command.arrival, property.businessDate);
  partyMustFit(command, roomType.maxOccupancy);
  const nights = nightsOf(command.arrival, command.departure);
  const held = command.holdSeconds !== null;
  if (held && (command.holdSeconds < HOLD_SECONDS.min || command.holdSeconds > HOLD_SECONDS.max))
    throw invalid(
      'HOLD_TIME_INVALID',
      'holdSeconds',
      `A hold lasts ${HOLD_SECONDS.min} to ${HOLD_SECONDS.max} seconds.`,
    );
  const after: Reservation = {
    reservationId: command.reservationId,
    propertyId: property.propertyId,
    confirmationNumber: house.nextConfirmationNumber(),
    status: held ? 'HELD' : 'CONFIRMED',
    roomTypeId: roomType.roomTypeId,
    ratePlanId: plan.ratePlanId,
    guestId: command.guestId,
    arrival: command.arrival,
    departure: command.departure,
    dayUse: command.dayUse,
    adults: command.adults,
    children: command.children,
    babies: command.babies,
    currency: property.currency,
    nightlyMinor: command.override
      ? overriddenPrices(ctx, command.override, nights.length)
      : house.priceNights(plan.ratePlanId, roomType.roomTypeId, nights),
    overrideReason: command.override?.reason ?? null,
    holdExpiresAt: held ? new Date(house.now.getTime() + command.holdSeconds * 1000) : null,
    cancelReason: null,
    roomNumber: null,
    origin: ctx.source,
    externalId: command.externalId,
    version: 1,
    createdAt: house.now,
    updatedAt: house.now,
  };
  house.put(null, after);
  return { before: null, after, eventType: held ? 'reservation.held' : 'reservation.created' };
}

/** The present reservation, once the caller has proved to have seen its present version. */
function current(house: House, command: { reservationId: string; ifVersion: number | null }): Reservation {
  const reservation = house.reservation(command.reservationId);
  if (command.ifVersion !== null && command.ifVersion !== reservation.version)
    throw conflict('VERSION_STALE', 'The reservation has changed since you read it.', {
      version: reservation.version,
    });
  return reservation;
}

const isRepriced = (before: Reservation, next: Reservation): boolean =>
  before.roomTypeId !== next.roomTypeId || before.ratePlanId !== next.ratePlanId;

/** Nights that the stay had before keep their agreed price, unless type or plan changed; the others are priced anew. */
function pricesAfterChange(house: House, before: Reservation, next: Reservation): number[] {
  const nights = nightsOf(next.arrival, next.departure);
  const agreed = new Map<IsoDate, number>();
  if (!isRepriced(before, next))
    nightsOf(before.arrival, before.departure).forEach((night, i) =>
      agreed.set(night, before.nightlyMinor[i]!),
    );
  const missing = nights.filter((night) => !agreed.has(night));
  const fresh = house.priceNights(next.ratePlanId, next.roomTypeId, missing);
  missing.forEach((night, i) => agreed.set(night, fresh[i]!));
  return nights.map((night) => agreed.get(night)!);
}

function replace(
  house: House,
  before: Reservation,
  changed: Partial<Reservation>,
  eventType: string,
): Decision {
  const after: Reservation = { ...before, ...changed, version: before.version + 1, updatedAt: house.now };
  house.put(before, after);
  return { before, after, eventType };
}

function modify(house: House, ctx: OpContext, command: ModifyCommand): Decision {
  const before = current(house, command);
  const { kind: _kind, reservationId: _id, ifVersion: _version, ...wished } = command;
  if (Object.values(wished).every((value) => value === undefined || value === null))
    throw invalid('PATCH_EMPTY', '', 'This changes no field.');
  if (!permits('modify', before.status)) illegalMove('modify', before);
  holdMustStand(before, house.now);
  const property = house.property(before.propertyId);
  const next: Reservation = {
    ...before,
    arrival: command.arrival ?? before.arrival,
    departure: command.departure ?? before.departure,
    dayUse: command.dayUse ?? before.dayUse,
    adults: command.adults ?? before.adults,
    children: command.children ?? before.children,
    babies: command.babies ?? before.babies,
    roomTypeId: command.roomTypeId ?? before.roomTypeId,
    ratePlanId: command.ratePlanId ?? before.ratePlanId,
  };
  stayDatesMustBeInOrder(next);
  if (next.arrival !== before.arrival) arrivalMustBeBookable(next.arrival, property.businessDate);
  const roomType = house.roomType(next.roomTypeId, property.propertyId);
  partyMustFit(next, roomType.maxOccupancy);
  const plan = house.ratePlan(next.ratePlanId, property.propertyId);
  if (!plan.active && plan.ratePlanId !== before.ratePlanId)
    throw conflict('RATE_PLAN_INACTIVE', 'This rate plan is not sold any more.');
  const nights = nightsOf(next.arrival, next.departure).length;
  const nightlyMinor = command.override
    ? overriddenPrices(ctx, command.override, nights)
    : pricesAfterChange(house, before, next);
  // Once every night is priced anew, nothing of an earlier agreement is left to give a reason for.
  const overrideReason =
    command.override?.reason ?? (isRepriced(before, next) ? null : before.overrideReason);
  return replace(house, before, { ...next, nightlyMinor, overrideReason }, 'reservation.modified');
}

function changeDeparture(house: House, command: ChangeDepartureCommand): Decision {
  const before = current(house, command);
  if (!permits('change-departure', before.status)) illegalMove('change-departure', before);
  const { businessDate } = house.property(before.propertyId);
  if (command.departure < businessDate)
    throw invalid(
      'DEPARTURE_BEFORE_BUSINESS_DATE',
      'departure',
      `The property's business date is ${businessDate}.`,
    );
  // Who leaves on the day of arrival took no night after all.
  const next = { ...before, departure: command.departure, dayUse: command.departure === before.arrival };
  stayDatesMustBeInOrder(next);
  return replace(
    house,
    before,
    { ...next, nightlyMinor: pricesAfterChange(house, before, next) },
    'reservation.departure_changed',
  );
}

/** What a move asks of the day, beyond the table. */
function dayMustSuit(house: House, ctx: OpContext, command: MoveCommand, before: Reservation): void {
  const { businessDate } = house.property(before.propertyId);
  const { arrival, departure, dayUse } = before;
  const over = dayUse ? arrival < businessDate : departure <= businessDate;
  if (command === 'check-in') {
    if (businessDate < arrival)
      throw conflict('ARRIVAL_NOT_DUE', `The stay begins on ${arrival}.`, { arrival, businessDate });
    if (over) throw conflict('STAY_OVER', `The stay ended on ${departure}.`, { departure, businessDate });
  }
  if (command === 'check-out' && businessDate < departure)
    throw conflict('EARLY_DEPARTURE', `The stay lasts until ${departure}: shorten it first.`, {
      departure,
      businessDate,
    });
  if (command === 'reinstate' && over)
    throw conflict('STAY_OVER', `The stay ended on ${departure}.`, { departure, businessDate });
  // An import repeats what was decided elsewhere, also a no-show declared before the arrival.
  const imported = ctx.source === 'import' && may(ctx, 'reservation:import');
  if (command === 'no-show' && businessDate < arrival && !imported)
    throw conflict('ARRIVAL_NOT_DUE', `The stay begins on ${arrival}.`, { arrival, businessDate });
}

function move(house: House, ctx: OpContext, command: MoveReservation): Decision {
  const before = current(house, command);
  const status = targetOf(command.kind, before.status);
  if (!status) illegalMove(command.kind, before);
  if (command.kind === 'expire') {
    if (before.holdExpiresAt === null || before.holdExpiresAt > house.now)
      throw conflict('HOLD_STANDS', 'This hold is not past its time.');
  } else holdMustStand(before, house.now);
  dayMustSuit(house, ctx, command.kind, before);
  if (command.kind === 'cancel' && !command.reason?.trim())
    throw invalid('CANCEL_REASON_REQUIRED', 'reason', 'A cancellation needs a reason.');
  return replace(
    house,
    before,
    {
      status,
      holdExpiresAt: status === 'CONFIRMED' ? null : before.holdExpiresAt,
      cancelReason:
        command.kind === 'cancel'
          ? command.reason!
          : command.kind === 'reinstate'
            ? null
            : before.cancelReason,
      roomNumber: command.kind === 'check-in' ? (command.roomNumber ?? null) : before.roomNumber,
    },
    EVENT_OF[command.kind],
  );
}

/**
 * Decides one command against the house and, if it is legal, does it there.
 * @throws DomainError a refusal; the house is as it was
 */
export function decide(house: House, ctx: OpContext, command: ReservationCommand): Decision {
  switch (command.kind) {
    case 'create':
      return create(house, ctx, command);
    case 'modify':
      return modify(house, ctx, command);
    case 'change-departure':
      return changeDeparture(house, command);
    default:
      return move(house, ctx, command);
  }
}

/** Decides a list in its order, each command with its own outcome: one refused never fails its neighbours. */
export function decideAll(
  house: House,
  list: readonly { readonly ctx: OpContext; readonly command: ReservationCommand }[],
): (Decision | DomainError)[] {
  return list.map(({ ctx, command }) => {
    try {
      return decide(house, ctx, command);
    } catch (error) {
      if (error instanceof DomainError) return error;
      throw error;
    }
  });
}
