import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { dateOfDay, type IsoDate } from '../../../platform/kernel/dates.js';
import { layOver, type PriceRange } from './price-calendar.js';

const FIRST_DAY = 20_000;
const DAYS = 40;
const day = (n: number): IsoDate => dateOfDay(FIRST_DAY + n);

const range = fc
  .record({
    from: fc.integer({ min: 0, max: DAYS - 2 }),
    length: fc.option(fc.integer({ min: 1, max: 15 })),
    amountMinor: fc.nat(1000),
  })
  .map(({ from, length, amountMinor }): PriceRange => ({
    from: day(from),
    to: length === null ? null : day(from + length),
    amountMinor,
  }));

const overlaps = (a: PriceRange, b: PriceRange): boolean =>
  (b.to === null || a.from < b.to) && (a.to === null || b.from < a.to);

/** The calendar as the command keeps it: what overlaps is taken out and what `layOver` says put in. */
const apply = (calendar: readonly PriceRange[], price: PriceRange): PriceRange[] => [
  ...calendar.filter((old) => !overlaps(old, price)),
  ...layOver(
    calendar.filter((old) => overlaps(old, price)),
    price,
  ),
];

const pricesOn = (calendar: readonly PriceRange[], night: IsoDate): number[] =>
  calendar
    .filter(({ from, to }) => from <= night && (to === null || night < to))
    .map(({ amountMinor }) => amountMinor);

describe('the price calendar', () => {
  it('gives each night the price that was set for it last, and only that', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 12 }), (prices) => {
        const calendar = prices.reduce<PriceRange[]>(apply, []);
        for (let n = 0; n < DAYS + 20; n++) {
          const last = prices.findLast(({ from, to }) => from <= day(n) && (to === null || day(n) < to));
          expect(pricesOn(calendar, day(n))).toEqual(last ? [last.amountMinor] : []);
        }
      }),
    );
  });

  it('splits a price that the new one falls into', () => {
    const old = { from: day(0), to: day(10), amountMinor: 100 };
    expect(layOver([old], { from: day(3), to: day(5), amountMinor: 200 })).toEqual([
      { from: day(0), to: day(3), amountMinor: 100 },
      { from: day(3), to: day(5), amountMinor: 200 },
      { from: day(5), to: day(10), amountMinor: 100 },
    ]);
  });
});
