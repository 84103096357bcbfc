import { describe, expect, it } from '@jest/globals';
import {
  actor,
  booking,
  creation,
  day,
  houseWith,
  NOW,
  PRICE,
  refusalOf,
} from '../../../../test/support/small-house.js';
import type { CreateCommand, PriceOverride } from './commands.js';
import { decide, decideAll, HOLD_SECONDS } from './decide.js';
import { MAX_AMOUNT } from './reservation.js';

const create = (fields: Partial<CreateCommand> = {}, ctx = actor(), house = houseWith()) =>
  decide(house, ctx, creation(fields));
const refused = (fields: Partial<CreateCommand>, ctx = actor(), house = houseWith()) =>
  refusalOf(() => create(fields, ctx, house));

describe('a new reservation', () => {
  it('is CONFIRMED, in version 1, with its number, its price and the currency of the property', () => {
    const house = houseWith();
    const { before, after, eventType } = create({ externalId: 'ota-7' }, actor(), house);
    expect(before).toBeNull();
    expect(eventType).toBe('reservation.created');
    expect(after).toEqual({
      reservationId: 'new',
      propertyId: 'property',
      confirmationNumber: 'NUMBER0',
      status: 'CONFIRMED',
      roomTypeId: 'A',
      ratePlanId: 'BAR',
      guestId: 'guest',
      arrival: day(0),
      departure: day(2),
      dayUse: false,
      adults: 2,
      children: 0,
      babies: 0,
      currency: 'EUR',
      nightlyMinor: [10_000, 10_000],
      overrideReason: null,
      holdExpiresAt: null,
      cancelReason: null,
      roomNumber: null,
      origin: 'http',
      externalId: 'ota-7',
      version: 1,
      createdAt: NOW,
      updatedAt: NOW,
    });
    expect(house.reservation('new')).toBe(after);
  });

  it('takes each night of [arrival, departure) and no other', () => {
    const house = houseWith();
    create({ arrival: day(3), departure: day(6) }, actor(), house);
    expect(house.changedNights()).toEqual(
      [3, 4, 5].map((n) => ({ roomTypeId: 'A', night: day(n), rooms: 5, sold: 1 })),
    );
  });

  it('leaves its last morning to another: one departs, one arrives', () => {
    const house = houseWith(
      [booking({ arrival: day(-2), departure: day(0) }), booking({ reservationId: 'r2', arrival: day(2) })],
      { rooms: 1 },
    );
    expect(create({ arrival: day(0), departure: day(2) }, actor(), house).after.status).toBe('CONFIRMED');
  });

  it('takes no night and costs nothing as day use, in a full house too', () => {
    const house = houseWith([booking()], { rooms: 1 });
    const { after } = create({ departure: day(0), dayUse: true }, actor(), house);
    expect(after).toMatchObject({ dayUse: true, nightlyMinor: [] });
    expect(house.changedNights()).toEqual([]);
  });

  it('is refused with an id that is taken', () => {
    expect(refused({ reservationId: 'r1' }, actor(), houseWith([booking()]))).toMatchObject({
      code: 'RESERVATION_EXISTS',
      category: 'CONFLICT',
    });
  });
});

describe('bounds of a new reservation', () => {
  it.each([
    ['arrival = departure without dayUse', { departure: day(0) }, 'STAY_DATES_INVALID'],
    ['a departure before the arrival', { departure: day(-1) }, 'STAY_DATES_INVALID'],
    ['dayUse over a night', { departure: day(1), dayUse: true }, 'DAY_USE_INVALID'],
    ['366 nights', { departure: day(366) }, 'STAY_TOO_LONG'],
    ['an arrival 1,001 days ahead', { arrival: day(1001) }, 'ARRIVAL_TOO_FAR_AHEAD'],
    ['an arrival before the business date', { arrival: day(-1) }, 'ARRIVAL_BEFORE_BUSINESS_DATE'],
    ['nobody', { adults: 0 }, 'PARTY_EMPTY'],
    ['100 people', { adults: 100 }, 'PARTY_TOO_LARGE'],
    ['a hold of 59 seconds', { holdSeconds: 59 }, 'HOLD_TIME_INVALID'],
    ['a hold of a day and a second', { holdSeconds: 86_401 }, 'HOLD_TIME_INVALID'],
  ])('refuse %s', (_, fields, code) => {
    const house = houseWith();
    expect(refused(fields, actor(), house)).toMatchObject({ code, category: 'VALIDATION' });
    expect(house.changedNights()).toEqual([]);
    expect(house.has('new')).toBe(false);
  });

  it.each([
    ['365 nights', { departure: day(365) }],
    ['an arrival 1,000 days ahead', { arrival: day(1000) }],
    ['an arrival on the business date', { arrival: day(0) }],
    ['a hold of a minute', { holdSeconds: 60 }],
    ['a hold of a day', { holdSeconds: 86_400 }],
  ])('permit %s', (_, fields) => {
    expect(create(fields).after.version).toBe(1);
  });

  it('refuse more people than the type takes: OCCUPANCY_EXCEEDED', () => {
    expect(refused({ adults: 3 }).code).toBe('OCCUPANCY_EXCEEDED');
    expect(create({ adults: 3, roomTypeId: 'B' }).after.adults).toBe(3);
  });

  it.each([
    ['property', { propertyId: 'x' }, 'PROPERTY_NOT_FOUND'],
    ['room type', { roomTypeId: 'x' }, 'ROOM_TYPE_NOT_FOUND'],
    ["another property's room type", { roomTypeId: 'foreign' }, 'ROOM_TYPE_NOT_FOUND'],
    ['rate plan', { ratePlanId: 'x' }, 'RATE_PLAN_NOT_FOUND'],
    ["another property's rate plan", { ratePlanId: 'foreign' }, 'RATE_PLAN_NOT_FOUND'],
    ['guest', { guestId: 'x' }, 'GUEST_NOT_FOUND'],
  ])('refuse an unknown %s', (_, fields, code) => {
    expect(refused(fields)).toMatchObject({ code, category: 'NOT_FOUND' });
  });

  it('refuse a plan that is not sold any more', () => {
    expect(refused({ ratePlanId: 'OLD' }).code).toBe('RATE_PLAN_INACTIVE');
  });
});

describe('a hold', () => {
  it('takes its nights until its time, by the clock of the database', () => {
    const house = houseWith([], { rooms: 1 });
    const { after, eventType } = create({ holdSeconds: HOLD_SECONDS.usual }, actor(), house);
    expect(eventType).toBe('reservation.held');
    expect(after).toMatchObject({ status: 'HELD', holdExpiresAt: new Date('2027-03-01T10:15:00.000Z') });
    expect(refused({ reservationId: 'other' }, actor(), house).code).toBe('NO_AVAILABILITY');
  });
});

describe('availability', () => {
  it('names the first night lacking, in order of the nights', () => {
    const taken = [5, 3, 4].map((n) =>
      booking({ reservationId: `t${n}`, arrival: day(n), departure: day(n + 1) }),
    );
    expect(
      refused({ arrival: day(1), departure: day(7) }, actor(), houseWith(taken, { rooms: 1 })),
    ).toMatchObject({
      code: 'NO_AVAILABILITY',
      category: 'CONFLICT',
      details: { roomTypeId: 'A', night: day(3) },
    });
  });

  it('takes all nights or none', () => {
    const house = houseWith([booking({ arrival: day(2), departure: day(3) })], { rooms: 1 });
    refused({ arrival: day(0), departure: day(4) }, actor(), house);
    expect([0, 1, 3].map((n) => house.available('A', day(n)))).toEqual([1, 1, 1]);
    expect(house.changedNights()).toEqual([]);
  });

  it('is counted by type', () => {
    const house = houseWith([booking()], { rooms: 1 });
    expect(create({ roomTypeId: 'B' }, actor(), house).after.status).toBe('CONFIRMED');
  });

  it('ends where the counters end', () => {
    expect(
      refused({ arrival: day(8), departure: day(12) }, actor(), houseWith([], { days: 10 })).details,
    ).toMatchObject({ night: day(10) });
  });
});

describe('the price', () => {
  it("is the plan's, night by night, across ranges", () => {
    const price = (from: number, to: number | null, amountMinor: number) => ({
      ratePlanId: 'BAR',
      roomTypeId: 'A',
      from: day(from),
      to: to === null ? null : day(to),
      amountMinor,
    });
    const house = houseWith([], { prices: [price(2, null, 300), price(0, 1, 100), price(1, 2, 200)] });
    expect(create({ departure: day(4) }, actor(), house).after.nightlyMinor).toEqual([100, 200, 300, 300]);
  });

  it('lacks for a night without a range: RATE_NOT_AVAILABLE names the first', () => {
    const prices = [{ ratePlanId: 'BAR', roomTypeId: 'A', from: day(0), to: day(2), amountMinor: 100 }];
    expect(refused({ departure: day(5) }, actor(), houseWith([], { prices }))).toMatchObject({
      code: 'RATE_NOT_AVAILABLE',
      category: 'CONFLICT',
      details: { night: day(2) },
    });
  });

  it('differs by plan and type', () => {
    expect(create({ ratePlanId: 'RACK', roomTypeId: 'B' }).after.nightlyMinor).toEqual([
      PRICE.RACK.B,
      PRICE.RACK.B,
    ]);
  });
});

describe('a price override', () => {
  const allowed = actor(['reservation:override-price']);
  const importer = actor(['reservation:override-price', 'reservation:import'], 'import');
  const at = (amountMinor: PriceOverride['amountMinor'], reason = 'agreed by phone') => ({
    override: { amountMinor, reason },
  });

  it('needs the permission', () => {
    expect(refused(at(1), actor(['reservation:create', 'reservation:import'], 'import'))).toMatchObject({
      code: 'PERMISSION_DENIED',
      category: 'AUTHZ',
      details: { permission: 'reservation:override-price' },
    });
  });

  it('needs a reason', () => {
    for (const reason of ['', ' \t\n'])
      expect(refused(at(1, reason), allowed)).toMatchObject({
        code: 'OVERRIDE_REASON_REQUIRED',
        category: 'VALIDATION',
      });
  });

  it('gives one price to every night, or one a night, and is kept with its reason', () => {
    expect(create(at(777), allowed).after).toMatchObject({
      nightlyMinor: [777, 777],
      overrideReason: 'agreed by phone',
    });
    expect(create(at([1, 2]), allowed).after.nightlyMinor).toEqual([1, 2]);
    expect(create(at(MAX_AMOUNT), allowed).after.nightlyMinor).toEqual([MAX_AMOUNT, MAX_AMOUNT]);
  });

  it('may be zero', () => {
    expect(create(at(0), allowed).after.nightlyMinor).toEqual([0, 0]);
  });

  it.each([[[]], [[1]], [[1, 2, 3]]])(
    'with prices %j for two nights is refused: PRICE_COUNT_INVALID',
    (amounts) => {
      expect(refused(at(amounts), allowed)).toMatchObject({
        code: 'PRICE_COUNT_INVALID',
        category: 'VALIDATION',
      });
    },
  );

  it.each([-1, 0.5, NaN, Infinity, MAX_AMOUNT + 1, -MAX_AMOUNT])(
    'of %p is refused: PRICE_OUT_OF_RANGE',
    (amount) => {
      expect(refused(at(amount), allowed)).toMatchObject({
        code: 'PRICE_OUT_OF_RANGE',
        category: 'VALIDATION',
      });
      expect(refused(at([1, amount]), allowed).code).toBe('PRICE_OUT_OF_RANGE');
    },
  );

  it('may be negative for an import, and for nobody who only says so', () => {
    expect(create(at([-638, 0]), importer).after).toMatchObject({
      nightlyMinor: [-638, 0],
      origin: 'import',
    });
    expect(refused(at(-MAX_AMOUNT - 1), importer).code).toBe('PRICE_OUT_OF_RANGE');
    for (const ctx of [
      actor(['reservation:override-price', 'reservation:import'], 'http'),
      actor(['reservation:override-price'], 'import'),
      actor(['*'], 'cli'),
    ])
      expect(refused(at(-1), ctx).code).toBe('PRICE_OUT_OF_RANGE');
  });

  it('needs no price of the plan', () => {
    expect(create(at(5), allowed, houseWith([], { prices: [] })).after.nightlyMinor).toEqual([5, 5]);
  });

  it('has no price to give to day use', () => {
    const dayUse = { departure: day(0), dayUse: true };
    expect(create({ ...dayUse, ...at(500) }, allowed).after.nightlyMinor).toEqual([]);
    expect(refused({ ...dayUse, ...at([500]) }, allowed).code).toBe('PRICE_COUNT_INVALID');
  });
});

describe('a list', () => {
  it('is decided in its order, each command with its own outcome', () => {
    const ctx = actor();
    const one = (reservationId: string, fields: Partial<CreateCommand> = {}) => ({
      ctx,
      command: creation({ reservationId, ...fields }),
    });
    const outcomes = decideAll(houseWith([], { rooms: 1 }), [
      one('a', { adults: 0 }),
      one('b', { departure: day(1) }),
      one('c'),
      one('d', { arrival: day(1), departure: day(2) }),
    ]);
    expect(
      outcomes.map((outcome) => ('code' in outcome ? outcome.code : outcome.after.reservationId)),
    ).toEqual(['PARTY_EMPTY', 'b', 'NO_AVAILABILITY', 'd']);
  });

  it('stops at an error that is no refusal: a bug is not an answer', () => {
    const house = houseWith([], { confirmationNumbers: [] });
    expect(() => decideAll(house, [{ ctx: actor(), command: creation() }])).toThrow(RangeError);
  });
});
