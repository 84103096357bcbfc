import type { LetterStatus } from './lifecycle-state.js';

/**
 * What makes an event go on. WAKE: the relay looks at its key again. RELEASE: its key is let go. PUBLISH_AGAIN: the log has lost
 * it. REPLAY: its dead letter is sent off.
 */
export type ResumeAct = 'WAKE' | 'RELEASE' | 'PUBLISH_AGAIN' | 'REPLAY';

/** Where an event stands that is not applied. */
export interface Standing {
  readonly keySeq: number;
  /** Null: it has none. */
  readonly letter: LetterStatus | null;
  /** What the relay holds its key back by. */
  readonly blocked: 'FAILED' | 'PARKED' | 'DLQ' | null;
  /** Its place in the log; null while it is not published, or is to be published again. */
  readonly place: { readonly partition: number; readonly offset: number } | null;
  /** The offset that the consumer reads next in that partition. */
  readonly nextOffset: number;
}

/** By partition, what the log holds: from `start` up to and without `end`; null while it doesn't answer. */
export type LogRanges = readonly { readonly start: bigint; readonly end: bigint }[] | null;

/**
 * Whether the log no longer has a published event that is neither applied nor in the dead letters: the consumer has passed its
 * place, or the log begins after it or ends before it. One that the consumer has still before it is not lost, however long it
 * waits.
 */
export function isLost(
  { place, nextOffset }: Pick<Standing, 'place' | 'nextOffset'>,
  ranges: LogRanges,
): boolean {
  if (place === null) return false;
  if (place.offset < nextOffset) return true;
  const range = ranges?.[place.partition];
  return range !== undefined && (place.offset < range.start || place.offset >= range.end);
}

/** What an operator's request to resume does with an event; null: there is nothing to do but wait for the consumer. */
export function actFor(standing: Standing, ranges: LogRanges): ResumeAct | null {
  if (standing.letter !== null) return 'REPLAY';
  if (standing.place !== null) return isLost(standing, ranges) ? 'PUBLISH_AGAIN' : null;
  return standing.blocked === null ? 'WAKE' : 'RELEASE';
}

/**
 * What the auditor does by itself: as an operator's request, but what somebody has parked, and what was given up, stays so; and a
 * parked dead letter is sent off only when it is the first of its key, so that nothing is left that it waits for.
 */
export function autoActFor(standing: Standing, first: boolean, ranges: LogRanges): ResumeAct | null {
  if (standing.letter !== null) return standing.letter === 'PARKED' && first ? 'REPLAY' : null;
  if (standing.place === null && standing.blocked !== null) return null;
  return actFor(standing, ranges);
}
