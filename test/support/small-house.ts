import { makeContext, type OpContext, type Source } from '../../src/platform/context/op-context.js';
import { addDays, isoDate, nightsOf, type IsoDate } from '../../src/platform/kernel/dates.js';
import { DomainError } from '../../src/platform/kernel/errors.js';
import { tenantId } from '../../src/platform/kernel/ids.js';
import type { CreateCommand } from '../../src/modules/reservations/domain/commands.js';
import { House, type HouseSnapshot } from '../../src/modules/reservations/domain/house.js';
import { takesNights, type Status } from '../../src/modules/reservations/domain/moves.js';
import type { Reservation } from '../../src/modules/reservations/domain/reservation.js';

// A house in memory for the rules: one property, two room types (A for 2 people, B for 4), two rate plans, one guest.
// Ids are words: the domain doesn't look into them.
export const BUSINESS_DATE = isoDate('2027-03-01');
export const NOW = new Date('2027-03-01T10:00:00.000Z');
/** Nights from 30 days before the business date to `LAST_DAY` after it have counters. */
const FIRST_DAY = -30;
const LAST_DAY = 1_400;
/** Price a night by plan and type, in cents. */
export const PRICE = {
  BAR: { A: 10_000, B: 16_000 },
  RACK: { A: 12_500, B: 20_000 },
} as const;

/** The n-th day after the business date. */
export const day = (n: number): IsoDate => addDays(BUSINESS_DATE, n);

/** An actor's context; without permissions, a clerk who may nothing special. */
export const actor = (permissions: readonly string[] = [], source: Source = 'http'): OpContext =>
  makeContext({
    tenantId: tenantId('0190a1b2-0000-7000-8000-000000000001'),
    subject: 'clerk',
    permissions,
    source,
  });

/** A booking as it stands, of type A, two nights from today at BAR. */
export function booking(fields: Partial<Reservation> & { status?: Status } = {}): Reservation {
  const arrival = fields.arrival ?? day(0);
  const departure = fields.departure ?? addDays(arrival, 2);
  return {
    reservationId: 'r1',
    propertyId: 'property',
    confirmationNumber: 'AAAA2222',
    status: 'CONFIRMED',
    roomTypeId: 'A',
    ratePlanId: 'BAR',
    guestId: 'guest',
    arrival,
    departure,
    dayUse: arrival === departure,
    adults: 2,
    children: 0,
    babies: 0,
    currency: 'EUR',
    nightlyMinor: nightsOf(arrival, departure).map(() => PRICE.BAR.A),
    overrideReason: null,
    holdExpiresAt: null,
    cancelReason: null,
    roomNumber: null,
    origin: 'http',
    externalId: null,
    version: 3,
    createdAt: new Date('2027-02-01T08:00:00.000Z'),
    updatedAt: new Date('2027-02-02T08:00:00.000Z'),
    ...fields,
  };
}

/** A request for two nights of type A from today at BAR. */
export function creation(fields: Partial<CreateCommand> = {}): CreateCommand {
  const arrival = fields.arrival ?? day(0);
  return {
    kind: 'create',
    reservationId: 'new',
    propertyId: 'property',
    roomTypeId: 'A',
    ratePlanId: 'BAR',
    guestId: 'guest',
    arrival,
    departure: addDays(arrival, 2),
    dayUse: false,
    adults: 2,
    children: 0,
    babies: 0,
    holdSeconds: null,
    override: null,
    externalId: null,
    ...fields,
  };
}

/** What a house of `rooms` rooms a type looks like with these reservations in it; counters are counted from them. */
export function snapshot(
  reservations: readonly Reservation[] = [],
  fields: Partial<HouseSnapshot> & { businessDate?: IsoDate; rooms?: number; days?: number } = {},
): HouseSnapshot {
  const { businessDate = BUSINESS_DATE, rooms = 5, days = LAST_DAY, ...rest } = fields;
  const nights = nightsOf(day(FIRST_DAY), day(days)).flatMap((night) =>
    ['A', 'B'].map((roomTypeId) => ({
      roomTypeId,
      night,
      rooms,
      sold: soldIn(reservations, roomTypeId, night),
    })),
  );
  return {
    now: NOW,
    properties: [
      { propertyId: 'property', currency: 'EUR', businessDate },
      { propertyId: 'elsewhere', currency: 'USD', businessDate },
    ],
    roomTypes: [
      { roomTypeId: 'A', propertyId: 'property', maxOccupancy: 2 },
      { roomTypeId: 'B', propertyId: 'property', maxOccupancy: 4 },
      { roomTypeId: 'hall', propertyId: 'property', maxOccupancy: 99 },
      { roomTypeId: 'foreign', propertyId: 'elsewhere', maxOccupancy: 2 },
    ],
    ratePlans: [
      { ratePlanId: 'BAR', propertyId: 'property', active: true },
      { ratePlanId: 'RACK', propertyId: 'property', active: true },
      { ratePlanId: 'OLD', propertyId: 'property', active: false },
      { ratePlanId: 'foreign', propertyId: 'elsewhere', active: true },
    ],
    prices: (['BAR', 'RACK'] as const).flatMap((ratePlanId) =>
      (['A', 'B'] as const).map((roomTypeId) => ({
        ratePlanId,
        roomTypeId,
        from: day(FIRST_DAY),
        to: null,
        amountMinor: PRICE[ratePlanId][roomTypeId],
      })),
    ),
    guestIds: ['guest'],
    nights,
    reservations,
    confirmationNumbers: Array.from({ length: 64 }, (_, i) => `NUMBER${i}`),
    ...rest,
  };
}

/** A count of its own, and not the house's arithmetic: how many of these stays sleep there in that night. */
export const soldIn = (reservations: Iterable<Reservation>, roomTypeId: string, night: IsoDate): number =>
  [...reservations].filter(
    (stay) =>
      stay.roomTypeId === roomTypeId &&
      takesNights(stay.status) &&
      stay.arrival <= night &&
      night < stay.departure,
  ).length;

/** The house of `snapshot`. */
export const houseWith = (...args: Parameters<typeof snapshot>): House => new House(snapshot(...args));

/** The refusal that `work` ends with; anything else fails the test. */
export function refusalOf(work: () => unknown): DomainError {
  try {
    work();
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
