import { describe, expect, it } from '@jest/globals';
import { afterRefusal } from './refusal.js';

describe('a refused event', () => {
  const schedule = [1_000, 5_000, 30_000];

  it('is tried again after each wait of the schedule, then given up', () => {
    const steps = [0, 1, 2, 3].map((attempts) => afterRefusal(attempts, schedule, () => 0));
    expect(steps).toEqual([
      { status: 'FAILED', attempts: 1, retryAfterMs: 1_000 },
      { status: 'FAILED', attempts: 2, retryAfterMs: 5_000 },
      { status: 'FAILED', attempts: 3, retryAfterMs: 30_000 },
      { status: 'DLQ', attempts: 4, retryAfterMs: null },
    ]);
  });

  it('waits up to a fifth longer, never shorter', () => {
    expect(afterRefusal(0, schedule, () => 1).retryAfterMs).toBe(1_200);
  });
});
