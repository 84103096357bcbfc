import { describe, expect, it } from '@jest/globals';
import { FIRST_TENANT } from '../contract/queue-heads.js';
import { Reading } from './reading.js';

const SLOTS = [0, 2, 4, 6, 8, 10, 12, 14];
const none = { events: [], parked: [], further: [] };

describe('a lane’s reading', () => {
  it('takes no more than a thousand events at once, however many slots and however large a batch may be', () => {
    const ranges = new Reading().ranges(SLOTS, 5_000);
    const urgent = ranges.filter(({ priority }) => priority === 0);
    expect(urgent.reduce((sum, { limit }) => sum + limit, 0)).toBeLessThanOrEqual(1_000);
    expect(new Reading().ranges(SLOTS, 10)[0]!.limit).toBe(10);
  });

  it('leaves the lower priority a part, so that neither delays the other for ever', () => {
    const [high, low] = new Reading().ranges([3], 500);
    expect([high!.priority, low!.priority]).toEqual([0, 1]);
    expect(low!.limit).toBeGreaterThan(0);
    expect(low!.limit).toBeLessThan(high!.limit);
  });

  it('goes on behind the tenants that it came to, and begins anew once it has been through all', () => {
    const reading = new Reading();
    const tenantId = '019a0000-0000-7000-8000-000000000064';
    const froms = (): string[] => reading.ranges([3, 5], 100).map(({ from }) => from);
    expect(reading.advance({ ...none, further: [{ slot: 5, priority: 1, tenantId }] })).toBe(true);
    expect(froms()).toEqual([FIRST_TENANT, FIRST_TENANT, FIRST_TENANT, tenantId]);
    expect(reading.advance(none)).toBe(false);
    expect(froms()).toEqual([FIRST_TENANT, FIRST_TENANT, FIRST_TENANT, FIRST_TENANT]);
  });
});
