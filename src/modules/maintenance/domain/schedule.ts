import { dateOfDay, dayNumber, isoDate, type IsoDate } from '../../../platform/kernel/dates.js';

/** The first day of the month that is `months` after the month of `date`. */
export function monthAfter(date: IsoDate, months: number): IsoDate {
  const [year, month] = date.split('-').map(Number) as [number, number];
  return isoDate(new Date(Date.UTC(year, month - 1 + months, 1)).toISOString().slice(0, 10));
}

/** When a month may leave its table: as many whole months after its own as it is kept. */
export const detachOn = (month: IsoDate, keepMonths: number): IsoDate => monthAfter(month, keepMonths + 1);

/** When a month that leaves its table on `detached` may be dropped. */
export const dropOn = (detached: IsoDate, days: number): IsoDate => dateOfDay(dayNumber(detached) + days);

/** Whole months from the month of `a` to that of `b`. */
export function monthsBetween(a: IsoDate, b: IsoDate): number {
  const [first, last] = [a, b].map((date) => Number(date.slice(0, 4)) * 12 + Number(date.slice(5, 7)));
  return last! - first!;
}
