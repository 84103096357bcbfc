import { afterEach, describe, expect, it } from '@jest/globals';
import { LoopRegistry } from './loop-registry.js';
import { type LoopOptions, WorkerLoop } from './loop.js';

const HOUR = 3_600_000;

describe('a worker loop', () => {
  const lines: string[] = [];
  const log = {
    warn: (line: string) => void lines.push(line),
    error: (line: string) => void lines.push(line),
  };
  let loop: WorkerLoop;

  function make(work: () => Promise<boolean>, options: Partial<LoopOptions> = {}): WorkerLoop {
    lines.length = 0;
    loop = new WorkerLoop({ name: 'test', intervalMs: HOUR, maxBackoffMs: 5, ...options }, work, log);
    return loop;
  }

  afterEach(() => loop.stop());

  it('runs at once, again while there is more, and then when woken', async () => {
    let left = 3;
    const runs: number[] = [];
    make(async () => (runs.push(left), --left > 0));
    loop.start();
    for (let run = 0; run < 3; run++) await loop.nextRun();
    expect(runs).toEqual([3, 2, 1]);
    const woken = loop.nextRun();
    loop.wake();
    expect(await woken).toEqual({ more: false, error: null });
    expect(runs).toEqual([3, 2, 1, 0]);
  });

  it('makes one run of any number of wake-ups during a run', async () => {
    let runs = 0;
    let release = (): void => undefined;
    make(() => new Promise((resolve) => (runs++, (release = () => resolve(false)))));
    loop.start();
    await new Promise(setImmediate);
    for (let i = 0; i < 10; i++) loop.wake();
    // The run in hand, the one that was asked for, and no third.
    for (let run = 0; run < 3; run++) {
      release();
      await new Promise(setImmediate);
    }
    expect(runs).toBe(2);
  });

  it('polls without being woken', async () => {
    make(async () => false, { intervalMs: 1 });
    loop.start();
    for (let run = 0; run < 3; run++) await loop.nextRun();
    expect(loop.status().runs).toBeGreaterThanOrEqual(3);
  });

  it('reports an error once, goes on, and says when it is well again', async () => {
    let fails = 3;
    make(async () => {
      if (fails-- > 0) throw new Error('the database is away');
      return false;
    });
    loop.start();
    for (let run = 0; run < 3; run++) expect((await loop.nextRun()).error).toBeInstanceOf(Error);
    expect(loop.status()).toMatchObject({ failures: 3, running: true });
    expect((await loop.nextRun()).error).toBeNull();
    expect(lines).toEqual(['loop test failed and goes on: the database is away']);
    expect(loop.status()).toMatchObject({ failures: 0, lastError: null });
  });

  it('never runs twice at a time, whoever asks', async () => {
    let inside = 0;
    let most = 0;
    make(async () => {
      most = Math.max(most, ++inside);
      await new Promise(setImmediate);
      inside -= 1;
      return false;
    });
    loop.start();
    await Promise.all([loop.runOnce(), loop.runOnce(), loop.nextRun()]);
    expect(most).toBe(1);
  });

  it('finishes the run in hand when stopped, and can start again', async () => {
    let finished = false;
    let release = (): void => undefined;
    make(() => new Promise((resolve) => (release = () => ((finished = true), resolve(true)))));
    loop.start();
    await new Promise(setImmediate);
    const stopped = loop.stop();
    release();
    await stopped;
    expect([finished, loop.status().running]).toEqual([true, false]);
    const run = loop.nextRun();
    loop.start();
    await new Promise(setImmediate);
    release();
    expect((await run).more).toBe(true);
    const end = loop.stop();
    await new Promise(setImmediate);
    release();
    await end;
  });

  it('is alive while it moves or waits to be woken, and stalled when a run hangs', async () => {
    let release = (): void => undefined;
    make(() => new Promise((resolve) => (release = () => resolve(false))), {
      intervalMs: null,
      stallAfterMs: 0,
    });
    expect(loop.status().alive).toBe(true);
    loop.start();
    await new Promise(setImmediate);
    expect(loop.status().alive).toBe(false);
    release();
    await new Promise(setImmediate);
    expect(loop.status().alive).toBe(true);
  });
});

describe('the registry of loops', () => {
  it('refuses two loops of one name', () => {
    const registry = new LoopRegistry();
    const sink = { warn: () => undefined, error: () => undefined };
    const loop = new WorkerLoop({ name: 'a', intervalMs: 1 }, async () => false, sink);
    expect(registry.add(loop)).toBe(loop);
    expect(() => registry.add(loop)).toThrow('two loops are named a');
    expect(registry.statuses().map(({ name }) => name)).toEqual(['a']);
  });
});
