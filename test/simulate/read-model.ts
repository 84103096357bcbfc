import type { Projector } from '../../src/modules/consumer/contract/projector.js';
import { EFFECT } from './consumer-statements.js';
import { refOf } from './database.js';
import type { House } from './house.js';

const FLAKY_FAILURES = 2;

/** Counts a failed try of an event that was tried by itself. */
function failed({ watch }: House, ref: string): void {
  watch.failures.set(ref, (watch.failures.get(ref) ?? 0) + 1);
}

/** Throws what the events are meant to fail with. */
export function stumble(house: House, flaky: Map<string, number>, refs: readonly string[]): void {
  for (const ref of refs) {
    const trouble = house.watch.truth.get(ref)?.trouble;
    const tries = flaky.get(ref) ?? 0;
    if (trouble !== 'unclear' && !(trouble === 'flaky' && tries < FLAKY_FAILURES)) continue;
    flaky.set(ref, tries + 1);
    if (refs.length === 1) failed(house, ref);
    throw new Error(`${ref} can't be applied`);
  }
}

/** The read model: the list of versions that were applied to each key. */
export function readModel(house: House): Projector {
  const flaky = new Map<string, number>();
  return {
    name: 'simulated',
    apply: async (tx, events) => {
      const keys = events.map(({ tenantId, aggregateId }) => `${tenantId}/${aggregateId}`);
      const seqs = events.map(({ keySeq }) => keySeq);
      stumble(
        house,
        flaky,
        keys.map((key, i) => refOf(key, seqs[i]!)),
      );
      await tx.query(EFFECT, [keys, seqs]);
    },
  };
}
