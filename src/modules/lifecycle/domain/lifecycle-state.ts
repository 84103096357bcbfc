/**
 * States of an accepted request, in the order in which they are reached. APPLIED after DLQ: an operator replayed it. SKIPPED: an
 * operator settled it without effect.
 */
export const LIFECYCLE_STATES = [
  'RECEIVED',
  'PERSISTED',
  'PUBLISHED',
  'CONSUMED',
  'DLQ',
  'SKIPPED',
  'APPLIED',
] as const;

export type LifecycleState = (typeof LIFECYCLE_STATES)[number];

/** States of a dead letter that is not settled. */
export type LetterStatus = 'DEAD' | 'PARKED' | 'REPLAYING';

/** The checkpoints of one event; each is written once and never taken back. */
export interface Checkpoints {
  readonly receivedAt: string;
  readonly persistedAt: string | null;
  readonly publishedAt: string | null;
  readonly consumedAt: string | null;
  /** When it went to the dead letters, or the relay gave it up. */
  readonly deadAt: string | null;
  readonly skippedAt: string | null;
  readonly appliedAt: string | null;
}

/** Where an event is, and since when. */
export interface LifecyclePlace {
  readonly state: LifecycleState;
  readonly since: string;
}

/** What holds an event up, as far as it is known. */
export interface Hindrance {
  /**
   * FAILED: the log refused it, the relay tries again at `nextAttemptAt`. PARKED: it waits behind another, or by hand. DLQ: the
   * relay gave it up. DEAD: the consumer did. REPLAYING: it is sent off again. STALLED: it stands still, and nobody knows why.
   */
  readonly status: 'FAILED' | 'PARKED' | 'DLQ' | 'STALLED' | LetterStatus;
  readonly code: string;
  readonly cause: string;
  readonly attempts: number;
  readonly nextAttemptAt: string | null;
  /** What an operator can do, with the command. */
  readonly remedy: string;
}

/**
 * The furthest checkpoint that is there. Nothing is concluded from one time being before another: the clocks of several
 * machines write them, and the consumer may be faster than the relay's receipt.
 */
export function stateOf(checkpoints: Checkpoints): LifecyclePlace {
  const { receivedAt, persistedAt, publishedAt, consumedAt, deadAt, skippedAt, appliedAt } = checkpoints;
  if (appliedAt) return { state: 'APPLIED', since: appliedAt };
  if (skippedAt) return { state: 'SKIPPED', since: skippedAt };
  if (deadAt) return { state: 'DLQ', since: deadAt };
  if (consumedAt) return { state: 'CONSUMED', since: consumedAt };
  if (publishedAt) return { state: 'PUBLISHED', since: publishedAt };
  if (persistedAt) return { state: 'PERSISTED', since: persistedAt };
  return { state: 'RECEIVED', since: receivedAt };
}

/** What happens next, for a person who asks. */
export function whatNext(state: LifecycleState, hindrance: Hindrance | null): string {
  if (state === 'APPLIED') return 'Nothing: it is done.';
  if (state === 'SKIPPED') return 'Nothing: an operator skipped it, and it has no effect.';
  if (hindrance?.status === 'REPLAYING') return 'It is on its way again: the consumer applies it.';
  if (state === 'DLQ') {
    if (hindrance?.status === 'PARKED')
      return 'It waits behind an earlier event of the same key: an operator replays or skips that one.';
    return 'Nothing by itself: an operator looks at the cause, then replays or skips it.';
  }
  if (hindrance?.status === 'FAILED')
    return `The event log refused it; the relay tries again at ${hindrance.nextAttemptAt}.`;
  if (hindrance?.status === 'PARKED' || hindrance?.status === 'DLQ')
    return 'It waits behind an event of the same key that the relay holds: an operator releases that one.';
  if (hindrance?.status === 'STALLED') return 'It stands still; the auditor resumes it within bounds.';
  if (state === 'CONSUMED') return 'Its effect is committed.';
  if (state === 'PUBLISHED') return 'The consumer applies it.';
  return state === 'PERSISTED' ? 'The relay puts it into the event log.' : 'Its transaction commits.';
}

/** What an operator can do about what holds an event up, with the command. */
export function remedyFor(
  status: Hindrance['status'],
  { correlationId, aggregateId }: { readonly correlationId: string; readonly aggregateId: string },
): string {
  const resume = `npx tartware lifecycle resume --request ${correlationId} --reason <why>`;
  switch (status) {
    case 'DEAD':
      return `See npx tartware dlq list --key ${aggregateId}, mend the cause, then: ${resume}. Or give it up: npx tartware dlq skip --key ${aggregateId} --reason <why>`;
    case 'PARKED':
      return `It goes on with the one that it waits behind: ${resume}`;
    case 'REPLAYING':
      return 'Nothing: wait for the consumer.';
    case 'FAILED':
      return `Wait for the next try, or try at once: ${resume}`;
    case 'DLQ':
      return `Mend why the event log refuses it, then: ${resume}`;
    case 'STALLED':
      return `See in /health/reliability whether relay and consumer move, then: ${resume}`;
  }
}
