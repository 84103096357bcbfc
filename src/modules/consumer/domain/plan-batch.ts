import type { BadRecord, DecodedRecord, GoodRecord } from './decode.js';
import type { Identity } from './incoming.js';

/** What is known of a key before a batch. */
export interface KeyState {
  /** The last version that was applied; 0 for a new key. */
  readonly appliedSeq: number;
  /** Versions of the key that are in the dead letters, unresolved. Any: the key is parked. */
  readonly buriedSeqs: readonly number[];
}

/** A record for the dead letters. DEAD: itself at fault. PARKED: it only stands behind one that is, or behind a gap. */
export interface BuriedRecord extends BadRecord {
  readonly status: 'DEAD' | 'PARKED';
}

/** What becomes of each record of a batch. */
export interface BatchPlan {
  readonly apply: readonly GoodRecord[];
  readonly duplicates: readonly DecodedRecord[];
  readonly bury: readonly BuriedRecord[];
}

/** The key of an event, as states are found by. */
export const keyOf = ({ tenantId, aggregateId }: Pick<Identity, 'tenantId' | 'aggregateId'>): string =>
  `${tenantId}/${aggregateId}`;

/**
 * Decides, in the order of the log: what was applied or buried before is a duplicate; the next version of its key is applied;
 * a version that skips one is parked, be it that the one before is in the dead letters or that it never came. Should that one
 * come after all, it is applied. Other keys go on.
 */
export function planBatch(
  records: readonly DecodedRecord[],
  states: ReadonlyMap<string, KeyState>,
): BatchPlan {
  const apply: GoodRecord[] = [];
  const duplicates: DecodedRecord[] = [];
  const bury: BuriedRecord[] = [];
  const keys = new Map<string, { applied: number; buried: Set<number> }>();
  const stateOf = (key: string): { applied: number; buried: Set<number> } => {
    let state = keys.get(key);
    if (!state) {
      const known = states.get(key);
      state = { applied: known?.appliedSeq ?? 0, buried: new Set(known?.buriedSeqs) };
      keys.set(key, state);
    }
    return state;
  };
  for (const decoded of records) {
    const identity = decoded.kind === 'event' ? decoded.event : decoded.identity;
    if (identity === null) {
      bury.push({ ...(decoded as BadRecord), status: 'DEAD' });
      continue;
    }
    const state = stateOf(keyOf(identity));
    const { keySeq } = identity;
    if (keySeq <= state.applied || state.buried.has(keySeq)) duplicates.push(decoded);
    else if (decoded.kind === 'event' && keySeq === state.applied + 1) {
      apply.push(decoded);
      state.applied = keySeq;
    } else {
      bury.push(decoded.kind === 'bad' ? { ...decoded, status: 'DEAD' } : parked(decoded, state));
      state.buried.add(keySeq);
    }
  }
  return { apply, duplicates, bury };
}

function parked(
  { record, event }: GoodRecord,
  state: { applied: number; buried: Set<number> },
): BuriedRecord {
  const behind = state.buried.size > 0;
  return {
    kind: 'bad',
    status: 'PARKED',
    record,
    identity: event,
    retryCount: 0,
    code: behind ? 'KEY_PARKED' : 'KEY_GAP',
    cause: behind
      ? `waits behind version ${Math.min(...state.buried)} of its key, which is in the dead letters`
      : `version ${state.applied + 1} of its key is missing`,
  };
}
