import { AUDITOR_BUGS } from './bugs-auditor.js';
import { CONSUMER_BUGS } from './bugs-consumer.js';
import { RELAY_BUGS } from './bugs-relay.js';
import { type Outcome, type RunOptions, simulate } from './simulate.js';
import type { Breach } from './world.js';

/** A mistake that somebody made, somewhere, once; here it is made on purpose, and every one has to be caught. */
export interface PlantedBug {
  readonly name: string;
  readonly what: string;
  /** What may be broken first; a seed that breaks anything else doesn't count. */
  readonly breaks: readonly Breach[];
  readonly options: RunOptions;
}

export const BUGS: readonly PlantedBug[] = [...RELAY_BUGS, ...CONSUMER_BUGS, ...AUDITOR_BUGS];

/** Seeds that are tried for a planted bug before it counts as missed. */
const BUG_SEEDS = 1_000;

/**
 * The first seed that notices a planted bug; null: none did. A seed that breaks a promise which the bug should not even touch is
 * the answer, too: whoever asks compares.
 */
export async function firstToCatch({ options }: PlantedBug): Promise<Outcome | null> {
  for (let seed = 1; seed <= BUG_SEEDS; seed++) {
    const outcome = await simulate(seed, options);
    if (outcome.breach) return outcome;
  }
  return null;
}
