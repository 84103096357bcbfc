import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { actor, day, NOW, soldIn } from '../../../../test/support/small-house.js';
import { addDays, nightsOf, type IsoDate } from '../../../platform/kernel/dates.js';
import { DomainError } from '../../../platform/kernel/errors.js';
import type { ReservationCommand } from './commands.js';
import { decideAll, type Decision } from './decide.js';
import { House, type HouseSnapshot, type NightCounter } from './house.js';
import { MOVES, type MoveCommand } from './moves.js';
import type { Reservation } from './reservation.js';

const TYPES = ['A', 'B'] as const;
const PLANS = ['BAR', 'RACK'] as const;
const IDS = ['r0', 'r1', 'r2', 'r3', 'r4', 'r5'] as const;
/** Nights with counters: ten. */
const DAYS = 10;
const ctx = actor();

/** What a database would hold between two transactions: rows, counters, the day and the time. */
interface State {
  readonly reservations: ReadonlyMap<string, Reservation>;
  readonly counters: ReadonlyMap<string, NightCounter>;
  readonly businessDate: IsoDate;
  readonly now: Date;
}

/** A list of one transaction, and how far day and clock have moved when it comes. */
interface List {
  readonly days: number;
  readonly seconds: number;
  readonly commands: readonly ReservationCommand[];
}

const idOf = (counter: Pick<NightCounter, 'roomTypeId' | 'night'>): string =>
  `${counter.roomTypeId} ${counter.night}`;
const id = fc.constantFrom(...IDS);
const type = fc.constantFrom(...TYPES);
const plan = fc.constantFrom(...PLANS);
const dayOf = fc.integer({ min: -1, max: DAYS }).map(day);

const creations = fc
  .record({
    reservationId: id,
    roomTypeId: type,
    ratePlanId: plan,
    arrival: fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 5, -1).map(day),
    nights: fc.constantFrom(0, 1, 1, 2, 3, 4),
    adults: fc.constantFrom(1, 1, 2, 2, 2, 0, 3),
    holdSeconds: fc.constantFrom(null, null, 60, 900),
  })
  .map(({ nights, ...rest }): ReservationCommand => ({
    kind: 'create',
    propertyId: 'property',
    guestId: 'guest',
    departure: addDays(rest.arrival, nights),
    dayUse: nights === 0,
    children: 0,
    babies: 0,
    override: null,
    externalId: null,
    ...rest,
  }));

const ifVersion = fc.constantFrom(null, null, null, null, null, 1, 2);
const KINDS = [...new Set(MOVES.map(({ command }) => command))];
const moves = fc
  .record({
    kind: fc.oneof(
      fc.constantFrom(...KINDS),
      fc.constantFrom<MoveCommand>('confirm', 'check-in', 'check-out'),
    ),
    reservationId: id,
    ifVersion,
  })
  .map((move): ReservationCommand => ({ ...move, reason: 'changed plans' }));
const modifications = fc
  .record({
    reservationId: id,
    ifVersion,
    arrival: fc.option(dayOf, { nil: undefined }),
    departure: fc.option(dayOf, { nil: undefined }),
    dayUse: fc.constantFrom(undefined, undefined, false, true),
    adults: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
    roomTypeId: fc.option(type, { nil: undefined }),
    ratePlanId: fc.option(plan, { nil: undefined }),
  })
  .map((fields): ReservationCommand => ({ kind: 'modify', override: null, ...fields }));
const departures = fc
  .record({ reservationId: id, ifVersion, departure: dayOf })
  .map((fields): ReservationCommand => ({ kind: 'change-departure', ...fields }));

const command = fc.oneof(
  { weight: 2, arbitrary: creations },
  { weight: 7, arbitrary: moves },
  { weight: 2, arbitrary: modifications },
  { weight: 2, arbitrary: departures },
);
/** Most stories are of people who came: each begins with a booking of every id, as far as there is room. */
const beginnings = fc
  .tuple(...IDS.map((reservationId) => creations.map((first) => ({ ...first, reservationId, adults: 1 }))))
  .map((commands): List => ({ days: 0, seconds: 0, commands }));
const lists: fc.Arbitrary<List[]> = fc
  .tuple(
    beginnings,
    fc.array(
      fc.record({
        days: fc.constantFrom(0, 0, 1),
        seconds: fc.constantFrom(0, 1, 60, 1_000),
        commands: fc.array(command, { minLength: 1, maxLength: 12, size: 'max' }),
      }),
      { minLength: 1, maxLength: 10, size: 'max' },
    ),
  )
  .map(([first, rest]) => [first, ...rest]);
const houses = fc.record({ A: fc.integer({ min: 1, max: 3 }), B: fc.integer({ min: 1, max: 3 }) });

function opened(rooms: Readonly<Record<(typeof TYPES)[number], number>>): State {
  const counters = TYPES.flatMap((roomTypeId) =>
    nightsOf(day(0), day(DAYS)).map((night) => ({ roomTypeId, night, rooms: rooms[roomTypeId], sold: 0 })),
  );
  return {
    reservations: new Map(),
    counters: new Map(counters.map((counter) => [idOf(counter), counter])),
    businessDate: day(0),
    now: NOW,
  };
}

const later = (state: State, { days, seconds }: List): State => ({
  ...state,
  businessDate: addDays(state.businessDate, days),
  now: new Date(state.now.getTime() + seconds * 1000),
});

const look = (state: State, commands: number): HouseSnapshot => ({
  now: state.now,
  properties: [{ propertyId: 'property', currency: 'EUR', businessDate: state.businessDate }],
  roomTypes: TYPES.map((roomTypeId) => ({ roomTypeId, propertyId: 'property', maxOccupancy: 2 })),
  ratePlans: PLANS.map((ratePlanId) => ({ ratePlanId, propertyId: 'property', active: true })),
  prices: PLANS.flatMap((ratePlanId, p) =>
    TYPES.map((roomTypeId, t) => ({
      ratePlanId,
      roomTypeId,
      from: day(0),
      to: null,
      amountMinor: 100 + 10 * p + t,
    })),
  ),
  guestIds: ['guest'],
  nights: [...state.counters.values()],
  reservations: [...state.reservations.values()],
  confirmationNumbers: Array.from({ length: commands }, (_, i) => `${state.reservations.size}-${i}`),
});

/** Decides a list as one transaction does, and writes what it decided. */
function transact(
  state: State,
  commands: readonly ReservationCommand[],
): { state: State; outcomes: (Decision | DomainError)[] } {
  const house = new House(look(state, commands.length));
  const outcomes = decideAll(
    house,
    commands.map((command) => ({ ctx, command })),
  );
  const reservations = new Map(state.reservations);
  for (const outcome of outcomes)
    if (!(outcome instanceof DomainError)) reservations.set(outcome.after.reservationId, outcome.after);
  const counters = new Map(state.counters);
  for (const counter of house.changedNights()) counters.set(idOf(counter), counter);
  return { state: { ...state, reservations, counters }, outcomes };
}

/** All but the confirmation number, of which every transaction draws its own. */
const essence = (state: State): unknown => ({
  counters: [...state.counters.values()],
  reservations: [...state.reservations.values()]
    .map((row) => ({ ...row, confirmationNumber: '' }))
    .sort((a, b) => (a.reservationId < b.reservationId ? -1 : 1)),
});
const gist = (outcome: Decision | DomainError): unknown =>
  outcome instanceof DomainError
    ? [outcome.code, outcome.details]
    : [outcome.eventType, outcome.after.status, outcome.after.version];

/** Counters that a recount from the reservations contradicts, or that are out of bounds. */
const wrongCounters = (state: State): unknown[] =>
  [...state.counters.values()].flatMap((counter) => {
    const recount = soldIn(state.reservations.values(), counter.roomTypeId, counter.night);
    const right = counter.sold === recount && counter.sold >= 0 && counter.sold <= counter.rooms;
    return right ? [] : [{ ...counter, recount }];
  });

describe('any lists of commands on a small house', () => {
  it('keep the counters equal to a recount, 0 ≤ sold ≤ rooms, and count versions up by one', () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(houses, lists, (rooms, all) => {
        let state = opened(rooms);
        for (const list of all) {
          const before = later(state, list);
          const { state: after, outcomes } = transact(before, list.commands);
          expect(wrongCounters(after)).toEqual([]);
          const versions = new Map(
            [...before.reservations.values()].map((row) => [row.reservationId, row.version]),
          );
          for (const outcome of outcomes) {
            const name = outcome instanceof DomainError ? outcome.code : outcome.eventType;
            seen.set(name, (seen.get(name) ?? 0) + 1);
            if (outcome instanceof DomainError) continue;
            const { reservationId, version, nightlyMinor, arrival, departure } = outcome.after;
            expect(version).toBe((versions.get(reservationId) ?? 0) + 1);
            expect(nightlyMinor).toHaveLength(nightsOf(arrival, departure).length);
            versions.set(reservationId, version);
          }
          state = after;
        }
      }),
      { numRuns: 800 },
    );
    // Without these the property would hold of nothing.
    for (const name of [
      'reservation.created',
      'reservation.held',
      'reservation.confirmed',
      'reservation.cancelled',
      'reservation.expired',
      'reservation.no_show',
      'reservation.checked_in',
      'reservation.checked_out',
      'reservation.reinstated',
      'reservation.modified',
      'reservation.departure_changed',
      'NO_AVAILABILITY',
      'ILLEGAL_MOVE',
      'VERSION_STALE',
      'HOLD_EXPIRED',
      'HOLD_STANDS',
      'RESERVATION_EXISTS',
      'RESERVATION_NOT_FOUND',
      'EARLY_DEPARTURE',
      'STAY_OVER',
    ])
      expect([name, seen.get(name) ?? 0]).not.toEqual([name, 0]);
  });

  it('decided one by one come out as decided in one list, and a refused one changes nothing', () => {
    fc.assert(
      fc.property(houses, lists, (rooms, all) => {
        let state = opened(rooms);
        for (const list of all) {
          const before = later(state, list);
          const asOne = transact(before, list.commands);
          let step = before;
          const outcomes = list.commands.map((one) => {
            const { state: next, outcomes } = transact(step, [one]);
            if (outcomes[0] instanceof DomainError) expect(next).toEqual(step);
            else expect(next.reservations.get(one.reservationId)).toBe(outcomes[0]!.after);
            step = next;
            return outcomes[0]!;
          });
          expect(outcomes.map(gist)).toEqual(asOne.outcomes.map(gist));
          expect(essence(step)).toEqual(essence(asOne.state));
          state = asOne.state;
        }
      }),
      { numRuns: 120 },
    );
  });

  it('move along the published table only', () => {
    fc.assert(
      fc.property(houses, lists, (rooms, all) => {
        let state = opened(rooms);
        for (const list of all) {
          const { state: after, outcomes } = transact(later(state, list), list.commands);
          for (const outcome of outcomes) {
            if (outcome instanceof DomainError || !outcome.before) continue;
            const [from, to] = [outcome.before.status, outcome.after.status];
            expect([
              from,
              to,
              from === to || MOVES.some((row) => row.from === from && row.to === to),
            ]).toEqual([from, to, true]);
          }
          state = after;
        }
      }),
      { numRuns: 300 },
    );
  });
});
