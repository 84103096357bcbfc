import { AUDITOR_BUGS } from './bugs-auditor.js';
import { CONSUMER_BUGS } from './bugs-consumer.js';
import { LETTER_BUGS } from './bugs-letters.js';
import { RELAY_BUGS } from './bugs-relay.js';
import type { PlantedBug } from './planted-bug.js';
import { type Outcome, simulate } from './simulate.js';

export const BUGS: readonly PlantedBug[] = [...RELAY_BUGS, ...CONSUMER_BUGS, ...LETTER_BUGS, ...AUDITOR_BUGS];

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
