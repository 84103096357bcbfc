import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Running, ROOT } from '../support/service.js';
import { DOSES } from './doses.js';
import type { Report } from './report.js';

const NODE = join(ROOT, 'node_modules/node/bin/node');
const ARGS = ['--import', './test/support/ts-hooks.mjs', 'test/faults/main.ts'];

/** `npm run faults -- …`, without npm. */
const faults = (...args: string[]): Running =>
  new Running(spawn(NODE, [...ARGS, ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] }));

describe('npm run faults', () => {
  it('in its small dose bites with every fault, and nothing is lost, applied twice, inverted, orphaned or beyond replay', async () => {
    const { code, stdout, stderr } = await faults('--dose', 'small', '--json').ended;
    const report = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Report;
    process.stdout.write(`${stdout}\n`);
    expect(report.notes).toEqual([]);
    expect(report).toMatchObject({
      dose: 'small',
      whole: true,
      lost: 0,
      twice: 0,
      inverted: 0,
      orphaned: 0,
      unlikeRecount: 0,
      notReplayable: 0,
      applied: report.acknowledged,
    });
    for (const [name, wanted] of Object.entries(DOSES.small.wanted))
      expect({ name, bitten: report.byFault[name]!.bitten }).toEqual({ name, bitten: wanted });
    expect(report.byFault['poison']!.bitten).toBeGreaterThan(0);
    expect(report.deadLetters).toBeGreaterThan(0);
    expect(report.byFault['open-transaction']!.bitten).toBe(1);
    // Killed relays and lost answers deliver again: a drill without duplicates has tested nothing.
    expect(report.duplicatesDelivered).toBeGreaterThan(0);
    expect({ code, stderr }).toMatchObject({ code: 0 });
  });

  it.each([[['--dose', 'huge']], [['--seed', 'x']], [['--frobnicate']]])(
    'refuses %j with 2',
    async (args) => {
      const { code, stdout } = await faults(...args).ended;
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    },
  );
});
