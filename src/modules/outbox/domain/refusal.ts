/** What becomes of a key whose head the log refused. */
export interface Refusal {
  readonly status: 'FAILED' | 'DLQ';
  /** Tries so far, this one included. */
  readonly attempts: number;
  /** Wait before the next try; null when there is none. */
  readonly retryAfterMs: number | null;
}

const JITTER = 0.2;

/**
 * The next step after one more refusal: each wait of the schedule in turn, up to a fifth longer (so that keys refused
 * together don't return together), then the end.
 * @param attempts tries before this one
 */
export function afterRefusal(
  attempts: number,
  scheduleMs: readonly number[],
  random: () => number = Math.random,
): Refusal {
  const wait = scheduleMs[attempts];
  if (wait === undefined) return { status: 'DLQ', attempts: attempts + 1, retryAfterMs: null };
  return { status: 'FAILED', attempts: attempts + 1, retryAfterMs: wait * (1 + JITTER * random()) };
}
