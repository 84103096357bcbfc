import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  addDays,
  dateInZone,
  dateOfDay,
  dayNumber,
  isIsoDate,
  isoDate,
  isTimeZone,
  nightsBetween,
  nightsOf,
  type IsoDate,
} from './dates.js';

/** 1900-01-01 to 2999-12-31. */
const anyDate = fc
  .integer({ min: dayNumber('1900-01-01' as IsoDate), max: dayNumber('2999-12-31' as IsoDate) })
  .map(dateOfDay);

describe('isoDate', () => {
  it.each(['1900-01-01', '2000-02-29', '2024-02-29', '2015-02-28', '2999-12-31'])('takes %s', (day) => {
    expect(isIsoDate(day)).toBe(true);
    expect(isoDate(day)).toBe(day);
  });

  it.each([
    '2015-02-29',
    '1900-02-29',
    '2100-02-29',
    '2015-02-30',
    '2015-04-31',
    '2015-06-31',
    '2015-09-31',
    '2015-11-31',
    '2015-13-01',
    '2015-00-10',
    '2015-01-00',
    '2015-01-32',
    '1899-12-31',
    '3000-01-01',
    '0000-00-00',
    '2015-1-1',
    '15-01-01',
    '2015/01/01',
    '2015-01-01T00:00:00Z',
    ' 2015-01-01',
    '2015-01-01\n',
    '+02015-01-01',
    '２０１５-01-01',
    '',
  ])('refuses %j: there is no such day', (text) => {
    expect(isIsoDate(text)).toBe(false);
    expect(() => isoDate(text)).toThrow(RangeError);
  });

  it('takes a day exactly when its month has it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1900, max: 2999 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 31 }),
        (year, month, day) => {
          const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
          const length = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]!;
          const text = `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
          expect(isIsoDate(text)).toBe(day <= length);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('arithmetic of days', () => {
  it('goes over the ends of months, leap days and years', () => {
    expect(addDays(isoDate('2024-02-28'), 1)).toBe('2024-02-29');
    expect(addDays(isoDate('2023-02-28'), 1)).toBe('2023-03-01');
    expect(addDays(isoDate('2024-12-31'), 1)).toBe('2025-01-01');
    expect(addDays(isoDate('2024-03-01'), -1)).toBe('2024-02-29');
    expect(nightsBetween(isoDate('2024-01-01'), isoDate('2025-01-01'))).toBe(366);
    expect(nightsBetween(isoDate('2023-01-01'), isoDate('2024-01-01'))).toBe(365);
  });

  // Clocks change in Europe on 2027-03-28 and 2027-10-31, in New York on 2027-03-14 and 2027-11-07.
  it.each(['2027-03-28', '2027-10-31', '2027-03-14', '2027-11-07'])(
    'counts one night over %s, a day of 23 or 25 hours',
    (day) => {
      const before = addDays(isoDate(day), -1);
      const after = addDays(isoDate(day), 1);
      expect(nightsOf(before, after)).toEqual([before, day]);
      expect(nightsBetween(before, after)).toBe(2);
    },
  );

  it('addDays and nightsBetween undo each other', () => {
    fc.assert(
      fc.property(anyDate, anyDate, (from, to) => {
        const n = nightsBetween(from, to);
        expect(addDays(from, n)).toBe(to);
        expect(addDays(to, -n)).toBe(from);
        expect(nightsBetween(to, from)).toBe(n === 0 ? 0 : -n);
        expect(dateOfDay(dayNumber(from))).toBe(from);
      }),
      { numRuns: 2_000 },
    );
  });

  it('ends with the years that a date may have: RangeError', () => {
    expect(() => addDays(isoDate('1900-01-01'), -1)).toThrow(RangeError);
    expect(() => addDays(isoDate('2999-12-31'), 1)).toThrow(RangeError);
  });

  it('later days sort after earlier ones, as text', () => {
    fc.assert(
      fc.property(anyDate, anyDate, (a, b) => {
        expect(a < b).toBe(nightsBetween(a, b) > 0);
      }),
    );
  });
});

describe('nightsOf', () => {
  it('is half-open: the arrival is a night, the departure none', () => {
    expect(nightsOf(isoDate('2027-02-27'), isoDate('2027-03-02'))).toEqual([
      '2027-02-27',
      '2027-02-28',
      '2027-03-01',
    ]);
  });

  it('has no night for day use, nor for a departure before the arrival', () => {
    expect(nightsOf(isoDate('2027-03-01'), isoDate('2027-03-01'))).toEqual([]);
    expect(nightsOf(isoDate('2027-03-02'), isoDate('2027-03-01'))).toEqual([]);
  });
});

describe('dateInZone', () => {
  it.each([
    ['2027-03-01T23:30:00Z', 'Europe/Lisbon', '2027-03-01'],
    ['2027-03-01T23:30:00Z', 'Europe/Berlin', '2027-03-02'],
    ['2027-03-01T04:59:00Z', 'America/New_York', '2027-02-28'],
    ['2027-03-01T05:00:00Z', 'America/New_York', '2027-03-01'],
    ['2027-12-31T10:00:00Z', 'Pacific/Kiritimati', '2028-01-01'],
    ['2027-03-28T00:59:00Z', 'Europe/London', '2027-03-28'],
    ['2027-06-30T23:00:00Z', 'Europe/London', '2027-07-01'],
  ])('%s in %s is %s', (instant, zone, day) => {
    expect(dateInZone(new Date(instant), zone)).toBe(day);
  });
});

describe('isTimeZone', () => {
  it.each(['Europe/Lisbon', 'America/Argentina/Buenos_Aires', 'UTC', 'Etc/GMT+3'])('knows %s', (zone) => {
    expect(isTimeZone(zone)).toBe(true);
  });

  it.each(['Europe/Atlantis', '', '+01:00', 'local', 'Lisbon'])('does not know %j', (zone) => {
    expect(isTimeZone(zone)).toBe(false);
  });
});
