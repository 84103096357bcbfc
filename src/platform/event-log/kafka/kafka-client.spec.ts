import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { disconnect } from './kafka-client.js';

describe('the farewell from Kafka', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('is not waited for longer than five seconds, whatever request is still under way', async () => {
    let over = false;
    const end = disconnect({ disconnect: () => new Promise(() => undefined) }).then(() => (over = true));
    await jest.advanceTimersByTimeAsync(4_999);
    expect(over).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    await end;
    expect(over).toBe(true);
  });

  it('that fails is one all the same', async () => {
    await expect(
      disconnect({ disconnect: () => Promise.reject(new Error('no broker')) }),
    ).resolves.toBeUndefined();
  });
});
