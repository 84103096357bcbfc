import { conflict, invalid } from '../../../platform/kernel/errors.js';
import { addDays, nightsBetween, type IsoDate } from '../../../platform/kernel/dates.js';
import type { Party, StayDates } from './commands.js';
import { legalCommands } from './moves.js';
import { MAX_DAYS_AHEAD, MAX_NIGHTS, MAX_PARTY, type Reservation } from './reservation.js';

/** @throws DomainError STAY_DATES_INVALID, DAY_USE_INVALID, STAY_TOO_LONG (400) */
export function stayDatesMustBeInOrder({ arrival, departure, dayUse }: StayDates): void {
  if (dayUse && arrival !== departure)
    throw invalid('DAY_USE_INVALID', 'departure', 'A day-use stay departs on the day of its arrival.');
  const nights = nightsBetween(arrival, departure);
  if (!dayUse && nights < 1)
    throw invalid(
      'STAY_DATES_INVALID',
      'departure',
      'The departure must be after the arrival, unless dayUse is true.',
    );
  if (nights > MAX_NIGHTS)
    throw invalid('STAY_TOO_LONG', 'departure', `A stay has at most ${MAX_NIGHTS} nights.`);
}

/** @throws DomainError ARRIVAL_BEFORE_BUSINESS_DATE, ARRIVAL_TOO_FAR_AHEAD (400) */
export function arrivalMustBeBookable(arrival: IsoDate, businessDate: IsoDate): void {
  if (arrival < businessDate)
    throw invalid(
      'ARRIVAL_BEFORE_BUSINESS_DATE',
      'arrival',
      `The property's business date is ${businessDate}.`,
    );
  if (arrival > addDays(businessDate, MAX_DAYS_AHEAD))
    throw invalid(
      'ARRIVAL_TOO_FAR_AHEAD',
      'arrival',
      `At most ${MAX_DAYS_AHEAD} days after ${businessDate}.`,
    );
}

/** @throws DomainError PARTY_INVALID, PARTY_EMPTY, PARTY_TOO_LARGE (400), OCCUPANCY_EXCEEDED (409) */
export function partyMustFit({ adults, children, babies }: Party, maxOccupancy: number): void {
  if ([adults, children, babies].some((count) => !Number.isInteger(count) || count < 0))
    throw invalid('PARTY_INVALID', 'adults', 'Counts of people are whole and not below zero.');
  const people = adults + children + babies;
  if (people < 1) throw invalid('PARTY_EMPTY', 'adults', 'A party has at least one person.');
  if (people > MAX_PARTY)
    throw invalid('PARTY_TOO_LARGE', 'adults', `A party has at most ${MAX_PARTY} people.`);
  if (adults + children > maxOccupancy)
    throw conflict(
      'OCCUPANCY_EXCEEDED',
      `This room type takes at most ${maxOccupancy} people (babies not counted).`,
      {
        maxOccupancy,
      },
    );
}

/** @throws DomainError ILLEGAL_MOVE (409), naming what is legal */
export function illegalMove(command: string, { status }: Reservation): never {
  const legal = legalCommands(status);
  throw conflict('ILLEGAL_MOVE', `A reservation that is ${status} can't ${command}.`, {
    status,
    command,
    legal,
  });
}

/** @throws DomainError HOLD_EXPIRED (409), swept or not */
export function holdMustStand(reservation: Reservation, now: Date): void {
  if (reservation.status === 'HELD' && reservation.holdExpiresAt !== null && reservation.holdExpiresAt <= now)
    throw conflict('HOLD_EXPIRED', 'This hold is past its time.', {
      expiredAt: reservation.holdExpiresAt.toISOString(),
    });
}
