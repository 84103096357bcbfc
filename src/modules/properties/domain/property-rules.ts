import { addDays, type IsoDate } from '../../../platform/kernel/dates.js';
import { conflict } from '../../../platform/kernel/errors.js';

const CURRENCIES = new Set(Intl.supportedValuesOf('currency'));

/** Whether this is an ISO 4217 code. */
export const isCurrency = (code: string): boolean => CURRENCIES.has(code);

/**
 * The business date moves by one day and never skips one: each day has a night audit.
 * @param to the day that the caller believes is next, or undefined
 * @throws DomainError BUSINESS_DATE_STEP (409), which names the next day
 */
export function nextBusinessDate(current: IsoDate, to?: IsoDate): IsoDate {
  const next = addDays(current, 1);
  if (to !== undefined && to !== next)
    throw conflict('BUSINESS_DATE_STEP', `The business date is ${current}; the next one is ${next}.`, {
      businessDate: current,
      next,
    });
  return next;
}
