import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { BUGS, firstToCatch } from './bugs.js';
import { simulate } from './simulate.js';

/** Some of the seeds that `npm run simulate` runs: enough to notice in seconds what broke. */
const SEEDS = 100;

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

  it('meets in these seeds everything that is meant to hurt', async () => {
    const bites = new Set<string>();
    for (let seed = 1; seed <= SEEDS; seed++)
      for (const what of (await simulate(seed)).bites.keys()) bites.add(what);
    expect([...bites].sort()).toEqual([
      ...['acknowledgements fenced', 'acts too late', 'answers lost', 'broker restart'],
      ...['consumers fenced', 'consumers killed', 'database restart', 'dead letters, DEAD'],
      ...['dead letters, PARKED', 'duplicates in the log', 'events resumed', 'impostor'],
      ...['impostors told apart', 'join', 'leave', 'letters DEAD to REPLAYING'],
      ...[
        'letters DEAD to SKIPPED',
        'letters PARKED to REPLAYING',
        'letters REPLAYING to DEAD',
        'letters REPLAYING to PARKED',
      ],
      ...['letters REPLAYING to RESOLVED', 'log cut', 'processes stopped', 'record lost'],
      ...['relays killed', 'requests delivered late', 'skips refused', 'stranger'],
      ...['suspects convicted', 'topic again', 'tries refused', 'waits for a lock'],
    ]);
  });

  it('has planted bugs enough, each by a name of its own, and docs/simulate.md tells all of them', () => {
    expect(BUGS.length).toBeGreaterThanOrEqual(20);
    expect(new Set(BUGS.map(({ name }) => name)).size).toBe(BUGS.length);
    const told = readFileSync(new URL('../../docs/simulate.md', import.meta.url), 'utf8').match(
      /^\| `[^`]+` \|[^|]+\|[^|]+\|/gm,
    );
    const rows = BUGS.map(({ name, what, breaks }) => `| \`${name}\` | ${what} | ${breaks.join(', ')} |`);
    expect(told).toEqual(expect.arrayContaining(rows));
  });
});
