import { nightsBetween, type IsoDate } from '../kernel/dates.js';
import { invalid } from '../kernel/errors.js';

/**
 * A half-open range of nights, `[from, to)`.
 * @throws DomainError RANGE_INVALID, RANGE_TOO_LONG (400)
 */
export function requireRange(from: IsoDate, to: IsoDate, maxNights = Infinity): void {
  const nights = nightsBetween(from, to);
  if (nights < 1) throw invalid('RANGE_INVALID', 'to', 'This must be after from.');
  if (nights > maxNights)
    throw invalid('RANGE_TOO_LONG', 'to', `The range may have ${maxNights} nights at most.`);
}
