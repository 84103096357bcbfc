import { describe, expect, it } from '@jest/globals';
import { isoDate } from '../../../platform/kernel/dates.js';
import { detachOn, dropOn, monthAfter, monthsBetween } from './schedule.js';

describe('the schedule of a month', () => {
  it('counts months over the end of a year, from any day of a month', () => {
    expect(monthAfter(isoDate('2026-11-30'), 3)).toBe('2027-02-01');
    expect(monthAfter(isoDate('2026-01-31'), -1)).toBe('2025-12-01');
    expect(monthsBetween(isoDate('2025-11-01'), isoDate('2027-01-31'))).toBe(14);
  });

  it('keeps a month for as many whole months after its own', () => {
    expect(detachOn(isoDate('2025-01-01'), 13)).toBe('2026-03-01');
    expect(dropOn(isoDate('2026-03-01'), 30)).toBe('2026-03-31');
  });
});
