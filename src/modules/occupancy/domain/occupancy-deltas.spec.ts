import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { addDays, isoDate } from '../../../platform/kernel/dates.js';
import { occupancyDeltas } from './occupancy-deltas.js';

const STATUSES = ['HELD', 'CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT', 'CANCELLED', 'NO_SHOW', 'EXPIRED'];
const BOOKED = ['CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT'];
const FIRST = isoDate('2027-02-26');

const stay = fc.record({
  propertyId: fc.constantFrom<string>('p1', 'p2'),
  status: fc.constantFrom(...STATUSES),
  arrival: fc.nat(9).map((days) => addDays(FIRST, days)),
  nightlyMinor: fc.array(fc.integer({ min: -50, max: 500 }), { maxLength: 5 }),
});
type Stay = typeof stay extends fc.Arbitrary<infer T> ? T : never;
/** The states that each of some reservations goes through. */
const lives = fc.array(fc.array(stay, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 6 });

const eventsOf = (states: readonly Stay[], tenantId = 't') =>
  states.map((state, i) => ({
    tenantId,
    aggregateType: 'reservation',
    data: { ...state, previous: states[i - 1] ?? null },
  }));

/** Counted night by night from the last states, by other means than the code's. */
function recount(last: readonly Stay[]): Record<string, number[]> {
  const nights: Record<string, number[]> = {};
  for (const propertyId of ['p1', 'p2'])
    for (let day = 0; day < 20; day++) {
      const night = addDays(FIRST, day);
      const there = last.flatMap((state) => {
        const index =
          state.propertyId === propertyId ? (Date.parse(night) - Date.parse(state.arrival)) / 86_400_000 : -1;
        const amount = state.nightlyMinor[index];
        return BOOKED.includes(state.status) && amount !== undefined
          ? [{ status: state.status, amount }]
          : [];
      });
      const stayed = there.filter(({ status }) => status === 'CHECKED_OUT');
      const sum = (list: { amount: number }[]): number =>
        list.reduce((total, { amount }) => total + amount, 0);
      const row = [there.length, sum(there), stayed.length, sum(stayed)];
      if (row.some((value) => value !== 0)) nights[`${propertyId}/${night}`] = row;
    }
  return nights;
}

function added(
  batches: readonly (readonly Parameters<typeof occupancyDeltas>[0][number][])[],
): Record<string, number[]> {
  const nights: Record<string, number[]> = {};
  for (const batch of batches)
    for (const delta of occupancyDeltas(batch)) {
      const row = (nights[`${delta.propertyId}/${delta.night}`] ??= [0, 0, 0, 0]);
      const values = [
        delta.bookedRooms,
        delta.bookedRevenueMinor,
        delta.stayedRooms,
        delta.stayedRevenueMinor,
      ];
      values.forEach((value, i) => (row[i]! += value));
    }
  return Object.fromEntries(Object.entries(nights).filter(([, row]) => row.some((value) => value !== 0)));
}

describe('the occupancy of events', () => {
  it('adds up to a recount of the last states, however the events are cut into batches', () => {
    fc.assert(
      fc.property(lives, fc.array(fc.nat(30), { maxLength: 4 }), (reservations, cuts) => {
        const events = reservations.flatMap((states) => eventsOf(states));
        const edges = [
          0,
          ...cuts.map((cut) => Math.min(cut, events.length)).sort((a, b) => a - b),
          events.length,
        ];
        const batches = edges.slice(1).map((edge, i) => events.slice(edges[i], edge));
        expect(added(batches)).toEqual(recount(reservations.map((states) => states.at(-1)!)));
      }),
    );
  });

  it('leaves out the nights on which nothing changes, and comes in key order, each night once', () => {
    fc.assert(
      fc.property(lives, (reservations) => {
        const deltas = occupancyDeltas(reservations.flatMap((states) => eventsOf(states)));
        const keys = deltas.map(({ tenantId, propertyId, night }) => `${tenantId}/${propertyId}/${night}`);
        expect(keys).toEqual([...new Set(keys)].sort());
        for (const { bookedRooms, bookedRevenueMinor, stayedRooms, stayedRevenueMinor } of deltas)
          expect([bookedRooms, bookedRevenueMinor, stayedRooms, stayedRevenueMinor]).not.toEqual([
            0, 0, 0, 0,
          ]);
      }),
    );
  });

  it('keeps tenants apart and takes no notice of other nouns', () => {
    const state = { propertyId: 'p1', status: 'CONFIRMED', arrival: FIRST, nightlyMinor: [100] };
    const guests = { tenantId: 't', aggregateType: 'guest', data: { ...state, previous: null } };
    const deltas = occupancyDeltas([...eventsOf([state], 'b'), guests, ...eventsOf([state], 'a')]);
    expect(deltas.map(({ tenantId, bookedRooms }) => [tenantId, bookedRooms])).toEqual([
      ['a', 1],
      ['b', 1],
    ]);
  });
});
