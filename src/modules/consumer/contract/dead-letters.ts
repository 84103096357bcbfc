import type { BackgroundTx } from '../../../platform/database/unit-of-work.js';
import { type LetterRef, requestReplays } from '../persistence/replay-store.js';

/** Names a dead letter. */
export type { LetterRef } from '../persistence/replay-store.js';

/**
 * Asks for the replay of dead letters; the worker that holds their partition publishes them again, in order, with the same
 * event ids, and the consumer applies each once. A letter needs those before it in its key, so they are sent off with it:
 * to ask for a `PARKED` one is to ask for the `DEAD` ones that it waits behind. What is parked behind follows by itself. One
 * that is `REPLAYING` is published once more; `RESOLVED` and `SKIPPED` stay as they are. Idempotent.
 * The caller records who asked (`recordActs`), last in the same transaction.
 * @returns how many letters are on their way because of this call
 */
export async function requestReplay(tx: BackgroundTx, letters: readonly LetterRef[]): Promise<number> {
  return (await requestReplays(tx, letters)).length;
}
