import { describe, expect, it } from '@jest/globals';
import { growthOf } from './start.js';

/** Ten minutes, a sample every ten seconds; `at` tells the memory after so many minutes. */
const tenMinutes = (at: (minute: number) => number): number[] =>
  Array.from({ length: 60 }, (_, n) => at((n + 1) / 6));

describe('the growth of memory under load', () => {
  it('is 1 where memory is flat', () =>
    expect(
      growthOf(
        tenMinutes(() => 150),
        10_000,
      ),
    ).toBe(1));

  it('begins with the third minute and ends with the last two', () =>
    expect(
      growthOf(
        tenMinutes((minute) => (minute <= 2 ? 50 : minute <= 4 ? 100 : minute <= 8 ? 500 : 130)),
        10_000,
      ),
    ).toBe(1.3));

  it('is not misled by a sample that stands out', () =>
    expect(
      growthOf(
        tenMinutes((minute) => (minute === 3 ? 1_000 : minute === 10 ? 2_000 : 100)),
        10_000,
      ),
    ).toBe(1));

  it('is not told of a short run', () => expect(() => growthOf([1, 2, 3], 10_000)).toThrow('six minutes'));
});
