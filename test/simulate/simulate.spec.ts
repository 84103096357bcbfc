import { describe, expect, it } from '@jest/globals';
import { BUGS, firstToCatch } from './bugs.js';
import { simulate } from './simulate.js';

/** Some of the seeds that `npm run simulate` runs: enough to notice in seconds what broke. */
const SEEDS = 300;

describe('the simulation', () => {
  it('keeps every promise under kills, stops, outages, losses and rebalances', async () => {
    const broken = [];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { breach, text } = await simulate(seed);
      if (breach) broken.push({ seed, breach, text });
    }
    expect(broken).toEqual([]);
  });

  it('tells the same story each time that a seed is run', async () => {
    for (const seed of [7, 8, 9])
      expect(await simulate(seed, { trace: true })).toEqual(await simulate(seed, { trace: true }));
  });

  it.each(BUGS.map((bug) => [bug.name, bug] as const))('catches %s', async (_name, bug) => {
    expect(bug.breaks).toContain((await firstToCatch(bug))?.breach);
  });

  it('has planted bugs enough, each by a name of its own', () => {
    expect(BUGS.length).toBeGreaterThanOrEqual(20);
    expect(new Set(BUGS.map(({ name }) => name)).size).toBe(BUGS.length);
  });
});
