import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { shareOf, type Dose } from './doses.js';
import type { Round } from './drill.js';
import type { FaultName } from './faults.js';

/** What a run of several rounds keeps, so that it can go on. */
export interface State {
  readonly seed: number;
  /** Those that were finished: one that was interrupted has no verdict, and is begun anew. */
  readonly rounds: readonly Round[];
}

/** A round that is still to come. */
export interface NextRound {
  /** From 0. */
  readonly number: number;
  /** The same for the same round of the same run, interrupted or not. */
  readonly seed: number;
  readonly share: ReadonlyMap<FaultName, number>;
}

/** How often a fault has bitten in all these rounds. */
export const bittenIn = (rounds: readonly Round[], name: string): number =>
  rounds.reduce((sum, { tallies }) => sum + (tallies[name]?.bitten ?? 0), 0);

/** The round after those of `state`; null when everything has bitten, or after twice the dose's rounds: what doesn't bite by then is missing. */
export function nextRound(dose: Dose, { seed, rounds }: State): NextRound | null {
  const number = rounds.length;
  const share = shareOf(dose, (name) => bittenIn(rounds, name), dose.rounds - number);
  return share.size === 0 || number >= 2 * dose.rounds ? null : { number, seed: seed + number, share };
}

/** The state that a run left in `file`; null: it left none. */
export const readState = (file: string): State | null =>
  existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as State) : null;

/** Keeps the state. Killed at any moment, the file holds this state or the one before. */
export function writeState(file: string, state: State): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify(state));
  renameSync(`${file}.new`, file);
}
