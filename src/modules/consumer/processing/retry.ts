import { kindOf } from './failures.js';

/** How often, and how soon, a failing event is tried again before it is given up. */
export interface RetryPolicy {
  /** KAFKA_MAX_RETRIES: quick retries after the first try. */
  readonly retries: number;
  /** KAFKA_RETRY_BACKOFF_MS: longest first wait; doubles. */
  readonly backoffMs: number;
  /** Before each retry; `retry` is 1 for the first. */
  readonly onRetry?: (retry: number, error: unknown) => void;
  readonly wait?: (ms: number) => Promise<void>;
  readonly random?: () => number;
}

/** Every try failed. `cause` is the last failure, `retries` how often it was tried again. */
export class GaveUpError extends Error {
  override readonly name = 'GaveUpError';

  constructor(
    readonly retries: number,
    cause: unknown,
  ) {
    super(`gave up after ${retries} retries`, { cause });
  }
}

/** The wait before a retry: exponential, between half and all of it, so that consumers don't return in step. */
export const retryWaitMs = (retry: number, backoffMs: number, random: () => number = Math.random): number =>
  backoffMs * 2 ** (retry - 1) * (0.5 + random() / 2);

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * One try and `retries` quick retries. A permanent failure is not tried again.
 * @throws GaveUpError when the event is to blame; an infrastructure or suspect error as it is, at once: it burns no attempt
 */
export async function processWithRetry<T>(work: () => Promise<T>, policy: RetryPolicy): Promise<T> {
  const { retries, backoffMs, onRetry, wait = sleep, random } = policy;
  for (let retry = 0; ;) {
    try {
      return await work();
    } catch (error) {
      const kind = kindOf(error);
      if (kind === 'infrastructure' || kind === 'suspect') throw error;
      if (kind === 'permanent' || retry === retries) throw new GaveUpError(retry, error);
      retry += 1;
      onRetry?.(retry, error);
      await wait(retryWaitMs(retry, backoffMs, random));
    }
  }
}
