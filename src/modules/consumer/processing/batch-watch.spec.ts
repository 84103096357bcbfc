import { describe, expect, it } from '@jest/globals';
import { BatchWatch } from './batch-watch.js';

describe('the watch over batches', () => {
  it('is alive with nothing in hand, however long ago the last batch was, and stalled with one that hangs', async () => {
    const watch = new BatchWatch(0);
    expect(watch.status().alive).toBe(true);
    let release = (): void => undefined;
    const hanging = watch.watch(() => new Promise<void>((resolve) => (release = resolve)));
    expect(watch.status().alive).toBe(false);
    release();
    await hanging;
    expect(watch.status()).toMatchObject({ alive: true, runs: 1, failures: 0 });
  });

  it('counts movement within a batch', async () => {
    const watch = new BatchWatch(60_000);
    await watch.watch(async (moved) => {
      moved();
      expect(watch.status()).toMatchObject({ alive: true, sinceMovedMs: 0 });
    });
  });

  it('remembers why batches fail until one is well', async () => {
    const watch = new BatchWatch();
    await expect(watch.watch(() => Promise.reject(new TypeError('no')))).rejects.toThrow('no');
    expect(watch.status()).toMatchObject({ failures: 1, lastError: 'TypeError: no' });
    await watch.watch(async () => undefined);
    expect(watch.status()).toMatchObject({ runs: 2, failures: 0, lastError: null });
  });
});
