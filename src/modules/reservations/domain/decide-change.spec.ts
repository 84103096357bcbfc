import { describe, expect, it } from '@jest/globals';
import {
  actor,
  booking,
  day,
  houseWith,
  NOW,
  PRICE,
  refusalOf,
} from '../../../../test/support/small-house.js';
import type { ModifyCommand } from './commands.js';
import { decide } from './decide.js';
import type { Reservation } from './reservation.js';

const modification = (fields: Partial<ModifyCommand>): ModifyCommand => ({
  kind: 'modify',
  reservationId: 'r1',
  ifVersion: null,
  override: null,
  ...fields,
});
const modify = (
  stay: Partial<Reservation>,
  fields: Partial<ModifyCommand>,
  ctx = actor(),
  house = houseWith([booking(stay)]),
) => decide(house, ctx, modification(fields));
const refused = (stay: Partial<Reservation>, fields: Partial<ModifyCommand>, ctx = actor()) => {
  const house = houseWith([booking(stay)]);
  const before = house.reservation('r1');
  const refusal = refusalOf(() => decide(house, ctx, modification(fields)));
  expect(house.reservation('r1')).toBe(before);
  expect(house.changedNights()).toEqual([]);
  return refusal;
};

/** Three nights from tomorrow, agreed at prices that no plan has. */
const AGREED: Partial<Reservation> = { arrival: day(1), departure: day(4), nightlyMinor: [1, 2, 3] };

describe('modify', () => {
  it('changes what is given and keeps the rest', () => {
    const { before, after } = modify(AGREED, { adults: 1, children: 1 });
    expect(after).toEqual({ ...before, adults: 1, children: 1, version: 4, updatedAt: NOW });
  });

  it('keeps the agreed price of the nights that stay; the others are priced by the plan', () => {
    expect(modify(AGREED, { arrival: day(2), departure: day(6) }).after.nightlyMinor).toEqual([
      2,
      3,
      PRICE.BAR.A,
      PRICE.BAR.A,
    ]);
    expect(modify(AGREED, { arrival: day(0) }).after.nightlyMinor).toEqual([PRICE.BAR.A, 1, 2, 3]);
    expect(modify(AGREED, { departure: day(2) }).after.nightlyMinor).toEqual([1]);
    expect(modify(AGREED, { arrival: day(10), departure: day(12) }).after.nightlyMinor).toEqual([
      PRICE.BAR.A,
      PRICE.BAR.A,
    ]);
  });

  it('prices every night anew when the type or the plan changes', () => {
    expect(modify(AGREED, { roomTypeId: 'B' }).after.nightlyMinor).toEqual([
      PRICE.BAR.B,
      PRICE.BAR.B,
      PRICE.BAR.B,
    ]);
    expect(modify(AGREED, { ratePlanId: 'RACK', departure: day(3) }).after.nightlyMinor).toEqual([
      PRICE.RACK.A,
      PRICE.RACK.A,
    ]);
  });

  it('naming the type and plan that it has reprices nothing', () => {
    expect(modify(AGREED, { roomTypeId: 'A', ratePlanId: 'BAR' }).after.nightlyMinor).toEqual([1, 2, 3]);
  });

  it('needs no price for the nights it keeps', () => {
    const house = houseWith([booking(AGREED)], { prices: [] });
    expect(modify(AGREED, { departure: day(3) }, actor(), house).after.nightlyMinor).toEqual([1, 2]);
    expect(refusalOf(() => modify(AGREED, { departure: day(5) }, actor(), house))).toMatchObject({
      code: 'RATE_NOT_AVAILABLE',
      details: { night: day(3) },
    });
  });

  it('takes an override for every night, with permission and reason', () => {
    const override = { amountMinor: [7, 8, 9], reason: 'compensation' };
    const allowed = actor(['reservation:override-price']);
    expect(modify(AGREED, { override }, allowed).after).toMatchObject({
      nightlyMinor: [7, 8, 9],
      overrideReason: 'compensation',
    });
    expect(refused(AGREED, { override }).code).toBe('PERMISSION_DENIED');
    expect(refused(AGREED, { override, departure: day(3) }, allowed).code).toBe('PRICE_COUNT_INVALID');
    expect(refused(AGREED, { override: { ...override, reason: '' } }, allowed).code).toBe(
      'OVERRIDE_REASON_REQUIRED',
    );
  });

  it('moves the nights in the counters: those it leaves are free, those it enters are taken', () => {
    const house = houseWith([booking(AGREED)], { rooms: 1 });
    modify(AGREED, { arrival: day(3), departure: day(5) }, actor(), house);
    expect([0, 1, 2, 3, 4, 5].map((n) => house.available('A', day(n)))).toEqual([1, 1, 1, 0, 0, 1]);
    expect(house.changedNights().map(({ night }) => night)).toEqual([day(1), day(2), day(4)]);
  });

  it('moves between types', () => {
    const house = houseWith([booking(AGREED)], { rooms: 1 });
    modify(AGREED, { roomTypeId: 'B' }, actor(), house);
    expect([house.available('A', day(1)), house.available('B', day(1))]).toEqual([1, 0]);
  });

  it('in a full house may keep its own nights, and needs a room for new ones only', () => {
    const neighbour = booking({ reservationId: 'r2', arrival: day(4), departure: day(5) });
    const house = houseWith([booking(AGREED), neighbour], { rooms: 1 });
    expect(refusalOf(() => modify(AGREED, { departure: day(5) }, actor(), house))).toMatchObject({
      code: 'NO_AVAILABILITY',
      details: { night: day(4) },
    });
    expect(modify(AGREED, { arrival: day(0), departure: day(4) }, actor(), house).after.version).toBe(4);
  });

  it.each([
    ['a departure on the arrival', { departure: day(1) }, 'STAY_DATES_INVALID'],
    ['an arrival on the departure', { arrival: day(4) }, 'STAY_DATES_INVALID'],
    ['dayUse without giving up the nights', { dayUse: true }, 'DAY_USE_INVALID'],
    ['366 nights', { departure: day(367) }, 'STAY_TOO_LONG'],
    ['a new arrival before the business date', { arrival: day(-1) }, 'ARRIVAL_BEFORE_BUSINESS_DATE'],
    ['a new arrival 1,001 days ahead', { arrival: day(1001), departure: day(1002) }, 'ARRIVAL_TOO_FAR_AHEAD'],
    ['nobody', { adults: 0 }, 'PARTY_EMPTY'],
    ['100 people', { babies: 98 }, 'PARTY_TOO_LARGE'],
    ['too many for the type', { children: 1 }, 'OCCUPANCY_EXCEEDED'],
    ["another property's type", { roomTypeId: 'foreign' }, 'ROOM_TYPE_NOT_FOUND'],
    ["another property's plan", { ratePlanId: 'foreign' }, 'RATE_PLAN_NOT_FOUND'],
    ['a plan that is not sold any more', { ratePlanId: 'OLD' }, 'RATE_PLAN_INACTIVE'],
  ])('refuses %s', (_, fields, code) => {
    expect(refused(AGREED, fields).code).toBe(code);
  });

  it('does not ask a late guest to arrive again: an arrival in the past may stay', () => {
    expect(modify({ arrival: day(-1), departure: day(3) }, { departure: day(2) }).after.departure).toBe(
      day(2),
    );
  });

  it('keeps a plan that is not sold any more where it has it already', () => {
    expect(modify({ ...AGREED, ratePlanId: 'OLD' }, { adults: 1 }).after).toMatchObject({
      ratePlanId: 'OLD',
      nightlyMinor: [1, 2, 3],
    });
  });

  it('turns a stay into day use and back', () => {
    const house = houseWith([booking(AGREED)], { rooms: 1 });
    const { after } = modify(AGREED, { departure: day(1), dayUse: true }, actor(), house);
    expect(after).toMatchObject({ dayUse: true, nightlyMinor: [] });
    expect([1, 2, 3].map((n) => house.available('A', day(n)))).toEqual([1, 1, 1]);
    expect(modify(AGREED, { departure: day(2), dayUse: false }, actor(), house).after.nightlyMinor).toEqual([
      PRICE.BAR.A,
    ]);
    expect(house.available('A', day(1))).toBe(0);
  });

  it('leaves a hold its time', () => {
    const holdExpiresAt = new Date(NOW.getTime() + 1);
    expect(modify({ ...AGREED, status: 'HELD', holdExpiresAt }, { adults: 1 }).after).toMatchObject({
      status: 'HELD',
      holdExpiresAt,
    });
  });
});

describe('change-departure', () => {
  /** In house since two days ago, booked until the day after tomorrow. */
  const STAY: Partial<Reservation> = {
    status: 'CHECKED_IN',
    arrival: day(-2),
    departure: day(2),
    nightlyMinor: [1, 2, 3, 4],
  };
  const to = (n: number, stay = STAY, house = houseWith([booking(stay)])) =>
    decide(house, actor(), {
      kind: 'change-departure',
      reservationId: 'r1',
      ifVersion: null,
      departure: day(n),
    });

  it('extends at the price of the plan, and takes the new nights', () => {
    const house = houseWith([booking(STAY)], { rooms: 1 });
    const { after, eventType } = to(4, STAY, house);
    expect(eventType).toBe('reservation.departure_changed');
    expect(after).toMatchObject({
      status: 'CHECKED_IN',
      departure: day(4),
      nightlyMinor: [1, 2, 3, 4, PRICE.BAR.A, PRICE.BAR.A],
    });
    expect([1, 2, 3, 4].map((n) => house.available('A', day(n)))).toEqual([0, 0, 0, 1]);
    expect(house.changedNights().map(({ night }) => night)).toEqual([day(2), day(3)]);
  });

  it('does not extend into a night that another has', () => {
    const next = booking({ reservationId: 'r2', arrival: day(3), departure: day(5) });
    const house = houseWith([booking(STAY), next], { rooms: 1 });
    expect(refusalOf(() => to(5, STAY, house))).toMatchObject({
      code: 'NO_AVAILABILITY',
      details: { night: day(3) },
    });
    expect(to(3, STAY, house).after.departure).toBe(day(3));
  });

  it('shortens down to the business date, gives back the nights and keeps the prices of the others', () => {
    const house = houseWith([booking(STAY)]);
    expect(to(0, STAY, house).after.nightlyMinor).toEqual([1, 2]);
    expect(house.changedNights().map(({ night, sold }) => [night, sold])).toEqual([
      [day(0), 0],
      [day(1), 0],
    ]);
  });

  it('does not change nights that are over: DEPARTURE_BEFORE_BUSINESS_DATE', () => {
    expect(refusalOf(() => to(-1))).toMatchObject({
      code: 'DEPARTURE_BEFORE_BUSINESS_DATE',
      category: 'VALIDATION',
    });
  });

  it('makes a day guest of who leaves on the day of arrival: no night is taken, none is paid', () => {
    const arrived = { ...STAY, arrival: day(0), nightlyMinor: [1, 2] };
    expect(to(0, arrived).after).toMatchObject({ dayUse: true, departure: day(0), nightlyMinor: [] });
  });

  it('leaves at most 365 nights', () => {
    const arrived = { ...STAY, arrival: day(0), nightlyMinor: [1, 2] };
    expect(to(365, arrived).after.nightlyMinor).toHaveLength(365);
    expect(refusalOf(() => to(366, arrived)).code).toBe('STAY_TOO_LONG');
  });

  it('makes a night guest of a day guest', () => {
    const dayGuest = { ...STAY, arrival: day(0), departure: day(0), nightlyMinor: [] };
    expect(to(1, dayGuest).after).toMatchObject({ dayUse: false, nightlyMinor: [PRICE.BAR.A] });
  });
});
