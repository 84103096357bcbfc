import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { DOSES, type Dose } from './doses.js';
import type { Round } from './drill.js';
import { nextRound, readState, type State, writeState } from './resume.js';

const DOSE: Dose = { ...DOSES.long, rounds: 3, wanted: { stop: 7, 'kill-api': 3, clock: 1 } };
const VERDICT = {
  ...{ acknowledged: 1, applied: 1, lost: 0, twice: 0, inverted: 0, orphaned: 0 },
  ...{ unlikeRecount: 0, notReplayable: 0, deadLetters: 0, duplicatesDelivered: 0 },
};
/** A round in which so many of each bit. */
const round = (bitten: Readonly<Record<string, number>>): Round => ({
  tallies: Object.fromEntries(
    Object.entries(bitten).map(([name, n]) => [name, { injected: n, bitten: n, recoveriesMs: [] }]),
  ),
  verdict: VERDICT,
  notes: [],
  seconds: 1,
  faultSeconds: 1,
  whole: true,
});
const shareIn = (state: State): Record<string, number> | null => {
  const next = nextRound(DOSE, state);
  return next && Object.fromEntries(next.share);
};

describe('a run of several rounds', () => {
  it('divides what has not bitten yet evenly over the rounds that are left, and ends when everything has', () => {
    const rounds: Round[] = [];
    const shares = [];
    for (;;) {
      const share = shareIn({ seed: 1, rounds });
      if (!share) break;
      shares.push(share);
      rounds.push(round(share));
    }
    expect(shares).toEqual([
      { 'kill-api': 1, stop: 3, clock: 1 },
      { 'kill-api': 1, stop: 2 },
      { 'kill-api': 1, stop: 2 },
    ]);
  });

  it('that was interrupted goes on with the round, the seed and the share that it would have had', () => {
    const dir = mkdtempSync(join(tmpdir(), 'faults-'));
    try {
      const file = join(dir, 'below', 'state.json');
      const state: State = {
        seed: 40,
        rounds: [round({ stop: 3, 'kill-api': 1, clock: 1 }), round({ stop: 1 })],
      };
      expect(readState(file)).toBeNull();
      writeState(file, { seed: 40, rounds: [] });
      writeState(file, state);
      const next = nextRound(DOSE, readState(file)!);
      expect(next).toEqual(nextRound(DOSE, state));
      expect([next!.number, next!.seed, shareIn(readState(file)!)]).toEqual([
        2,
        42,
        { 'kill-api': 2, stop: 3 },
      ]);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('goes on past its rounds for what would not bite, and gives up after twice as many', () => {
    const stubborn = (rounds: number): State => ({
      seed: 1,
      rounds: Array.from({ length: rounds }, () => round({})),
    });
    expect(shareIn(stubborn(5))).toEqual({ 'kill-api': 3, stop: 7, clock: 1 });
    expect(shareIn(stubborn(6))).toBeNull();
  });
});
