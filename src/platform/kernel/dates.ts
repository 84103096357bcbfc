declare const brand: unique symbol;

/** A calendar date of the property's zone, `YYYY-MM-DD`; sorts as text. Years 1900 to 2999. */
export type IsoDate = string & { readonly [brand]: 'IsoDate' };

const FORM = /^(19|2\d)\d{2}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/;
const DAY_MS = 86_400_000;

/** Whether `value` names a day that exists (2015-02-29 does not). */
export function isIsoDate(value: string): value is IsoDate {
  return (
    FORM.test(value) && Number(value.slice(8)) <= daysIn(Number(value.slice(0, 4)), Number(value.slice(5, 7)))
  );
}

/** Days of a month (1 to 12). By hand: every event has some dates to check, and a Date costs five times as much. */
function daysIn(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

const TIME = /^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?Z$/;

/** Whether `value` is a time in UTC, to the microsecond at most, as events carry it. */
export function isUtcTime(value: string): boolean {
  const [date, time, ...rest] = value.split('T');
  return rest.length === 0 && isIsoDate(date ?? '') && TIME.test(time ?? '');
}

/** @throws RangeError when there is no such day. */
export function isoDate(value: string): IsoDate {
  if (!isIsoDate(value)) throw new RangeError(`not a date: ${JSON.stringify(value)}`);
  return value;
}

/** Days since 1970-01-01. */
export const dayNumber = (date: IsoDate): number => Date.parse(date) / DAY_MS;

const DATES = new Map<number, IsoDate>();

/** The date of a day number, 1900 to 2999. Kept once made: a hotel's nights are few, and each booking names several. */
export function dateOfDay(day: number): IsoDate {
  let date = DATES.get(day);
  if (date === undefined) {
    date = isoDate(new Date(day * DAY_MS).toISOString().slice(0, 10));
    DATES.set(day, date);
  }
  return date;
}

/** `date` moved by `days`, which may be negative. */
export const addDays = (date: IsoDate, days: number): IsoDate => dateOfDay(dayNumber(date) + days);

/** Nights of the half-open stay `[arrival, departure)`; 0 for day use. */
export const nightsBetween = (arrival: IsoDate, departure: IsoDate): number =>
  dayNumber(departure) - dayNumber(arrival);

/** Every night of `[arrival, departure)`, in order. */
export function nightsOf(arrival: IsoDate, departure: IsoDate): IsoDate[] {
  const first = dayNumber(arrival);
  const count = nightsBetween(arrival, departure);
  return Array.from({ length: Math.max(count, 0) }, (_, i) => dateOfDay(first + i));
}

/** Today's date in an IANA time zone. */
export function dateInZone(now: Date, timeZone: string): IsoDate {
  const parts = new Intl.DateTimeFormat('en-CA', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  }).format(now);
  return isoDate(parts);
}

/** Whether the runtime knows this IANA time zone. */
export function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return /^[A-Z]/.test(zone);
  } catch {
    return false;
  }
}
