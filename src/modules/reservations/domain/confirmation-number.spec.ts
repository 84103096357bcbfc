import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { confirmationNumber } from './confirmation-number.js';

const SPACE = 30 ** 8;
const anyNumber = fc.integer({ min: 1, max: SPACE - 1 });

/** The CHECK of the column, read from the migration itself. */
const column = ((): RegExp => {
  const migration = new URL('../../../../migrations/1763700000003-reservations.ts', import.meta.url);
  const match = /confirmation_number ~ '([^']+)'/.exec(readFileSync(migration, 'utf8'));
  return new RegExp(match![1]!);
})();

describe('confirmationNumber', () => {
  it('is eight characters that nobody takes for one another, and no vowel but A and E', () => {
    fc.assert(
      fc.property(anyNumber, (n) => {
        expect(confirmationNumber(n)).toMatch(/^[2-9A-Z]{8}$/);
        expect(confirmationNumber(n)).not.toMatch(/[01ILOU]/);
      }),
      { numRuns: 5_000 },
    );
  });

  it("satisfies the column's CHECK, which takes its alphabet and no other character", () => {
    const used = new Set<string>();
    for (let n = 1; n <= 2_000; n++) {
      const number = confirmationNumber(n);
      expect(number).toMatch(column);
      for (const letter of number) used.add(letter);
    }
    const taken = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)).filter((letter) =>
      column.test(letter.repeat(8)),
    );
    expect([...used].sort()).toEqual(taken);
    expect(taken).toHaveLength(30);
  });

  it('gives two reservations two numbers, however far apart (bijection)', () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyNumber, { minLength: 100, maxLength: 100 }), (ns) => {
        expect(new Set(ns.map(confirmationNumber)).size).toBe(ns.length);
      }),
      { numRuns: 200 },
    );
  });

  it('gives 100,000 reservations in a row 100,000 numbers', () => {
    const numbers = new Set<string>();
    for (let n = 1; n <= 100_000; n++) numbers.add(confirmationNumber(n));
    expect(numbers.size).toBe(100_000);
  });

  it('gives the same reservation the same number, for ever', () => {
    expect([1, 2, 3, 1_000_000, SPACE - 1].map(confirmationNumber)).toEqual(FOR_EVER);
  });

  it('does not tell how many came before: neighbours share hardly a character', () => {
    let same = 0;
    for (let n = 1; n <= 1_000; n++) {
      const [a, b] = [confirmationNumber(n), confirmationNumber(n + 1)];
      for (let i = 0; i < 8; i++) if (a[i] === b[i]) same++;
    }
    // By chance 1 in 30: about 267 of 8,000.
    expect(same).toBeLessThan(400);
  });

  it.each([0, -1, 1.5, NaN, Infinity, SPACE, Number.MAX_SAFE_INTEGER])('refuses %p', (n) => {
    expect(() => confirmationNumber(n)).toThrow(RangeError);
  });
});

/** Golden: numbers that guests carry on paper. */
const FOR_EVER = ['ACFQ589D', 'H5WW4CED', 'R2JXHBJ8', '88KSWYSX', 'MZP3DXQD'];
