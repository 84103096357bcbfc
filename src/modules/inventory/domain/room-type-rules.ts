import type { IsoDate } from '../../../platform/kernel/dates.js';
import { conflict, DomainError, invalid } from '../../../platform/kernel/errors.js';

/** Most rooms of one type; the table's check constraint repeats it. */
export const MAX_ROOMS = 100_000;

/** Most nights of a range that is read or changed at once. */
export const MAX_RANGE_NIGHTS = 366;

/** @throws DomainError OCCUPANCY_INVALID (400) unless 1 ≤ base ≤ max */
export function requireOccupancy(base: number, max: number): void {
  if (base > max)
    throw invalid(
      'OCCUPANCY_INVALID',
      'baseOccupancy',
      'The base occupancy must not exceed the maximum occupancy.',
    );
}

/** 409 that names the first night on which more rooms are sold than there would be. */
export const roomsBelowSold = (night: IsoDate, sold: number): DomainError =>
  conflict('ROOMS_BELOW_SOLD', `On ${night} ${sold} rooms are sold already.`, { night, sold });

/** @throws DomainError OUTSIDE_HORIZON (409) unless the nights `[from, to)` lie within `[first, end)` */
export function requireWithinHorizon(from: IsoDate, to: IsoDate, first: IsoDate, end: IsoDate): void {
  if (from < first || to > end)
    throw conflict('OUTSIDE_HORIZON', `Nights can be changed from ${first} to before ${end}.`, {
      from: first,
      to: end,
    });
}
