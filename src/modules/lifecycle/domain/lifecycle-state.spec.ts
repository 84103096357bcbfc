import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Checkpoints, LIFECYCLE_STATES, stateOf, whatNext } from './lifecycle-state.js';

const NAMES = ['persistedAt', 'publishedAt', 'consumedAt', 'deadAt', 'skippedAt', 'appliedAt'] as const;
const time = fc
  .date({ min: new Date('2027-01-01'), max: new Date('2028-01-01'), noInvalidDate: true })
  .map((date) => date.toISOString());
const nothing: Checkpoints = {
  receivedAt: '2027-01-01T00:00:00.000Z',
  persistedAt: null,
  publishedAt: null,
  consumedAt: null,
  deadAt: null,
  skippedAt: null,
  appliedAt: null,
};

describe('the state of a request', () => {
  it('only moves forward, in whatever order its checkpoints are written and whatever their clocks say', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray([...NAMES]),
        fc.array(time, { minLength: 6, maxLength: 6 }),
        (order, times) => {
          let checkpoints = nothing;
          let rank = LIFECYCLE_STATES.indexOf(stateOf(checkpoints).state);
          order.forEach((name, i) => {
            checkpoints = { ...checkpoints, [name]: times[i]! };
            const next = LIFECYCLE_STATES.indexOf(stateOf(checkpoints).state);
            expect(next).toBeGreaterThanOrEqual(rank);
            rank = next;
          });
        },
      ),
    );
  });

  it('is that of the furthest checkpoint, since its time', () => {
    expect(stateOf(nothing)).toEqual({ state: 'RECEIVED', since: nothing.receivedAt });
    NAMES.forEach((name, i) => {
      expect(stateOf({ ...nothing, [name]: 'then' })).toEqual({
        state: LIFECYCLE_STATES[i + 1],
        since: 'then',
      });
    });
  });

  it('always says what happens next', () => {
    const hindrance = { code: 'C', cause: 'c', attempts: 1, nextAttemptAt: 'then', remedy: 'r' };
    for (const state of LIFECYCLE_STATES)
      for (const status of ['FAILED', 'PARKED', 'DLQ', 'DEAD', 'REPLAYING', 'STALLED', null] as const)
        expect(whatNext(state, status && { ...hindrance, status })).toMatch(/^[A-Z].*\.$/);
    expect(whatNext('PERSISTED', { ...hindrance, status: 'FAILED' })).toContain('then');
  });
});
