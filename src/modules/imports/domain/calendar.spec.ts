import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { addDays, isoDate, nightsBetween } from '../../../platform/kernel/dates.js';
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
  it('passes over idle days, over no other, and ends on the day after the last', () => {
    fc.assert(
      fc.property(bookings, (all) => {
        const calendar = new Calendar(all);
        const seen = new Set<string>();
        let day = calendar.firstDay;
        for (; day <= calendar.lastDay; day = calendar.next(day)) seen.add(day);
        expect(day).toBe(addDays(calendar.lastDay, 1));
        for (let n = 0; n <= nightsBetween(calendar.firstDay, calendar.lastDay); n++) {
          const each = addDays(calendar.firstDay, n);
          expect(seen.has(each)).toBe(!isIdle(calendar.on(each)));
        }
      }),
    );
  });
});
