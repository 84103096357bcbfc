import type { Identity } from './incoming.js';
import { keyOf } from './plan-batch.js';

/** A dead letter that is to be skipped. */
export interface SkippableLetter {
  readonly deadLetterId: string;
  readonly status: string;
  /** Null: its record could not be read, and belongs to no key. */
  readonly version: Pick<Identity, 'tenantId' | 'aggregateId' | 'keySeq'> | null;
  /** The outbox knows the event under this version; else a stranger wrote it, and its version is still to come. */
  readonly ours: boolean;
}

/** Which letters are settled without effect, how far the marks of their keys move, and which have to wait. */
export interface SkipPlan {
  readonly skip: readonly string[];
  readonly marks: ReadonlyMap<string, number>;
  readonly refused: readonly { readonly deadLetterId: string; readonly why: string }[];
}

/**
 * Decides on skips, in order of version within a key: the head of its key is skipped, and the mark moves past it; one that is
 * not its turn is refused, as is one that is on its way. What belongs to no key, or to a version that is settled or another
 * event's, is skipped and moves nothing.
 * @param marks applied versions by key, before
 */
export function planSkips(letters: readonly SkippableLetter[], marks: ReadonlyMap<string, number>): SkipPlan {
  const skip: string[] = [];
  const refused: { deadLetterId: string; why: string }[] = [];
  const moved = new Map<string, number>();
  const bySeq = [...letters].sort((a, b) => (a.version?.keySeq ?? 0) - (b.version?.keySeq ?? 0));
  for (const { deadLetterId, status, version, ours } of bySeq) {
    const key = version && keyOf(version);
    const applied = key === null ? 0 : (moved.get(key) ?? marks.get(key) ?? 0);
    if (status !== 'DEAD' && status !== 'PARKED') refused.push({ deadLetterId, why: `it is ${status}` });
    else if (version === null || version.keySeq <= applied || !ours) skip.push(deadLetterId);
    else if (version.keySeq > applied + 1)
      refused.push({ deadLetterId, why: `version ${applied + 1} of its key comes first` });
    else {
      skip.push(deadLetterId);
      moved.set(key!, version.keySeq);
    }
  }
  return { skip, marks: moved, refused };
}
