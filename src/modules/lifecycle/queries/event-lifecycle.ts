import {
  type Checkpoints,
  type Hindrance,
  type LifecycleState,
  remedyFor,
  stateOf,
  whatNext,
} from '../domain/lifecycle-state.js';
import type { EventRow } from '../persistence/lifecycle-statements.js';

/** Where one event is. */
export interface EventLifecycle {
  readonly eventId: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly type: string;
  /** The aggregate's version after the event. */
  readonly keySeq: number;
  /** The request that caused it. */
  readonly correlationId: string;
  readonly actor: string;
  readonly state: LifecycleState;
  readonly since: string;
  readonly next: string;
  readonly checkpoints: Checkpoints;
  readonly hindrance: Hindrance | null;
}

/** Puts an event's row into the terms of the lifecycle. */
export function eventLifecycle(row: EventRow): EventLifecycle {
  const { eventId, aggregateType, aggregateId, type, keySeq, correlationId, actor } = row;
  const { receivedAt, persistedAt, publishedAt, consumedAt, skippedAt, appliedAt } = row;
  const givenUp = row.blockStatus === 'DLQ' && row.blockSeq === keySeq ? row.blockAt : null;
  const deadAt = row.deadAt ?? givenUp;
  const checkpoints = { receivedAt, persistedAt, publishedAt, consumedAt, deadAt, skippedAt, appliedAt };
  const { state, since } = stateOf(checkpoints);
  const settled = state === 'APPLIED' || state === 'SKIPPED';
  const cause = settled ? null : causeOf(row);
  const hindrance = cause && { ...cause, remedy: remedyFor(cause.status, row) };
  const next = whatNext(state, hindrance);
  return {
    ...{ eventId, aggregateType, aggregateId, type, keySeq, correlationId, actor },
    ...{ state, since, next, checkpoints, hindrance },
  };
}

function causeOf(row: EventRow): Omit<Hindrance, 'remedy'> | null {
  const { deadStatus } = row;
  if (deadStatus === 'DEAD' || deadStatus === 'PARKED' || deadStatus === 'REPLAYING')
    return {
      status: deadStatus,
      code: row.deadCode!,
      cause: row.deadCause!,
      attempts: 1 + row.deadRetries!,
      nextAttemptAt: null,
    };
  if (row.blockStatus) {
    const head = row.blockSeq === row.keySeq;
    return {
      status: head ? row.blockStatus : 'PARKED',
      code: head ? 'RECORD_REFUSED' : 'KEY_BLOCKED',
      cause: row.blockCause!,
      attempts: head ? row.blockAttempts! : 0,
      nextAttemptAt: head ? row.nextAttemptAt : null,
    };
  }
  return row.stalledAt === null ? null : stallOf(row.stalledAt, row.stallTries!);
}

const stallOf = (foundAt: string, tries: number): Omit<Hindrance, 'remedy'> => ({
  status: 'STALLED',
  code: 'LIFECYCLE_STALLED',
  cause: `found standing still at ${foundAt}, resumed ${tries} times since`,
  attempts: tries,
  nextAttemptAt: null,
});
