import { describe, expect, it } from '@jest/globals';
import { addDays, isoDate } from '../../../platform/kernel/dates.js';
import { booking, day, NOW, refusalOf } from '../../../../test/support/small-house.js';
import {
  arrivalMustBeBookable,
  holdMustStand,
  illegalMove,
  partyMustFit,
  stayDatesMustBeInOrder,
} from './rules.js';

const stay = (nights: number, dayUse = false) => ({ arrival: day(0), departure: day(nights), dayUse });

describe('the dates of a stay', () => {
  it.each([1, 2, 364, 365])('may be %d nights apart', (nights) => {
    expect(() => stayDatesMustBeInOrder(stay(nights))).not.toThrow();
  });

  it.each([
    [366, 'STAY_TOO_LONG'],
    [10_000, 'STAY_TOO_LONG'],
    [0, 'STAY_DATES_INVALID'],
    [-1, 'STAY_DATES_INVALID'],
  ])('may not be %d nights apart: %s', (nights, code) => {
    const refusal = refusalOf(() => stayDatesMustBeInOrder(stay(nights)));
    expect(refusal).toMatchObject({ code, category: 'VALIDATION', details: [{ path: 'departure', code }] });
  });

  it('may be one day with dayUse, and with it alone', () => {
    expect(() => stayDatesMustBeInOrder(stay(0, true))).not.toThrow();
    for (const nights of [-1, 1, 2])
      expect(refusalOf(() => stayDatesMustBeInOrder(stay(nights, true))).code).toBe('DAY_USE_INVALID');
  });
});

describe('the arrival', () => {
  it.each([0, 1, 999, 1000])('may be %d days after the business date', (days) => {
    expect(() => arrivalMustBeBookable(day(days), day(0))).not.toThrow();
  });

  it.each([
    [-1, 'ARRIVAL_BEFORE_BUSINESS_DATE'],
    [-365, 'ARRIVAL_BEFORE_BUSINESS_DATE'],
    [1001, 'ARRIVAL_TOO_FAR_AHEAD'],
  ])('may not be %d days after it: %s', (days, code) => {
    const refusal = refusalOf(() => arrivalMustBeBookable(day(days), day(0)));
    expect(refusal).toMatchObject({ code, category: 'VALIDATION', details: [{ path: 'arrival' }] });
  });

  it("goes by the property's business date and not by today's date", () => {
    const businessDate = isoDate('2015-07-01');
    expect(() => arrivalMustBeBookable(addDays(businessDate, 1), businessDate)).not.toThrow();
  });
});

describe('the party', () => {
  const party = (adults: number, children = 0, babies = 0) => ({ adults, children, babies });

  it.each([
    [party(1), 1],
    [party(0, 1), 1],
    [party(0, 0, 1), 1],
    [party(2, 0, 97), 2],
    [party(99), 99],
    [party(33, 33, 33), 99],
  ])('%j fits into a room for %d', (people, most) => {
    expect(() => partyMustFit(people, most)).not.toThrow();
  });

  it.each([
    [party(0), 2, 'PARTY_EMPTY', 'VALIDATION'],
    [party(100), 99, 'PARTY_TOO_LARGE', 'VALIDATION'],
    [party(33, 33, 34), 99, 'PARTY_TOO_LARGE', 'VALIDATION'],
    [party(3), 2, 'OCCUPANCY_EXCEEDED', 'CONFLICT'],
    [party(1, 2), 2, 'OCCUPANCY_EXCEEDED', 'CONFLICT'],
  ])('%j does not fit into a room for %d: %s', (people, most, code, category) => {
    expect(refusalOf(() => partyMustFit(people, most))).toMatchObject({ code, category });
  });

  it('names the most that the room takes; babies are not counted', () => {
    expect(refusalOf(() => partyMustFit(party(3), 2)).details).toEqual({ maxOccupancy: 2 });
    expect(() => partyMustFit(party(2, 0, 2), 2)).not.toThrow();
  });
});

describe('a hold', () => {
  const held = (ms: number) => booking({ status: 'HELD', holdExpiresAt: new Date(NOW.getTime() + ms) });

  it('stands to the millisecond before its time, and not at it', () => {
    expect(() => holdMustStand(held(1), NOW)).not.toThrow();
    for (const ms of [0, -1, -86_400_000])
      expect(refusalOf(() => holdMustStand(held(ms), NOW))).toMatchObject({
        code: 'HOLD_EXPIRED',
        category: 'CONFLICT',
        details: { expiredAt: new Date(NOW.getTime() + ms).toISOString() },
      });
  });

  it('is no hold any more once it is confirmed', () => {
    expect(() => holdMustStand(booking({ holdExpiresAt: new Date(0) }), NOW)).not.toThrow();
  });
});

describe('an illegal move', () => {
  it('names the state, the command and what is legal instead', () => {
    expect(refusalOf(() => illegalMove('check-out', booking({ status: 'CONFIRMED' })))).toMatchObject({
      code: 'ILLEGAL_MOVE',
      category: 'CONFLICT',
      details: {
        status: 'CONFIRMED',
        command: 'check-out',
        legal: ['cancel', 'no-show', 'check-in', 'modify'],
      },
    });
  });
});
