import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SLOTS } from '../contract/events.js';
import { fairShare, LANES, laneOf, partitionOf } from './slots.js';

describe('slots', () => {
  it('are covered by the shares of any number of relays, evenly', () => {
    expect([1, 2, 3, 5, 16, 17].map((relays) => fairShare(SLOTS, relays))).toEqual([16, 8, 6, 4, 1, 1]);
    for (let relays = 1; relays < 40; relays++)
      expect(fairShare(SLOTS, relays) * relays).toBeGreaterThanOrEqual(SLOTS);
  });

  it('never put one partition into two lanes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), (partitions) => {
        const lanes = new Map<number, number>();
        for (let slot = 0; slot < SLOTS; slot++) {
          const [partition, lane] = [partitionOf(slot, partitions), laneOf(slot, partitions)];
          expect(partition).toBeLessThan(partitions);
          expect(lane).toBeLessThan(LANES);
          expect(lanes.get(partition) ?? lane).toBe(lane);
          lanes.set(partition, lane);
        }
      }),
    );
  });
});
