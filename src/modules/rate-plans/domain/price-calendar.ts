import type { IsoDate } from '../../../platform/kernel/dates.js';

/** One price, for each night of `[from, to)`; without end where `to` is null. */
export interface PriceRange {
  readonly from: IsoDate;
  readonly to: IsoDate | null;
  /** Minor units of the property's currency. */
  readonly amountMinor: number;
}

/**
 * The new price laid over the ranges that overlap it: what sticks out before and after keeps its old price.
 * @returns the ranges that take the place of `overlapped`, in order, at most one a night
 */
export function layOver(overlapped: readonly PriceRange[], price: PriceRange): PriceRange[] {
  const { from, to } = price;
  const before = overlapped.filter((old) => old.from < from).map((old) => ({ ...old, to: from }));
  const after =
    to === null
      ? []
      : overlapped.filter((old) => old.to === null || old.to > to).map((old) => ({ ...old, from: to }));
  return [...before, price, ...after];
}
