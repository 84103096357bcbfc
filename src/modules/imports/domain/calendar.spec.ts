import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { addDays, isoDate, nightsOf } from '../../../platform/kernel/dates.js';
import { Calendar, type Day } from './calendar.js';
import type { HotelBooking } from './hotel-booking.js';

const FIRST = isoDate('2026-01-01');

const bookings = fc.array(
  fc
    .record({
      booked: fc.nat(200),
      lead: fc.nat(200),
      nights: fc.nat(20),
      status: fc.constantFrom('Check-Out' as const, 'Canceled' as const, 'No-Show' as const),
    })
    .map(({ booked, lead, nights, status }): HotelBooking => {
      const arrival = addDays(FIRST, booked + lead);
      const departure = addDays(arrival, nights);
      return {
        ...{ row: 1, bookedOn: addDays(FIRST, booked), arrival, departure, dayUse: nights === 0, status },
        ...{
          adults: 2,
          children: 0,
          babies: 0,
          nightMinor: 1,
          statusDate: status === 'Check-Out' ? departure : arrival,
        },
      };
    }),
  { minLength: 1, maxLength: 12 },
);

const isIdle = (day: Day): boolean => Object.values(day).flat().length === 0;

describe('a calendar', () => {
  it('passes over idle days, a hundred at most, over no other, and ends on the day after the last', () => {
    fc.assert(
      fc.property(bookings, fc.nat(300), (all, before) => {
        const calendar = new Calendar(all);
        let day = addDays(calendar.firstDay, -before);
        while (day <= calendar.lastDay) {
          const next = calendar.next(day);
          const passed = nightsOf(addDays(day, 1), next);
          expect(passed.length).toBeLessThan(100);
          expect(passed.every((each) => isIdle(calendar.on(each)))).toBe(true);
          if (passed.length < 99 && next <= calendar.lastDay) expect(isIdle(calendar.on(next))).toBe(false);
          day = next;
        }
        expect(day).toBe(addDays(calendar.lastDay, 1));
      }),
    );
  });
});
