import type { BatchHandler, ReadRecord, RecordBatch } from '../event-log.js';

/** Waits of an adapter, ms. Tests shorten them; production has no reason to. */
export interface DeliveryTiming {
  /** PAUSE_MS of the port: the wait after an answer below the batch's end. */
  readonly pauseMs: number;
  /** First wait after a throw, and after a crash of the subscription; doubles. */
  readonly backoffMinMs: number;
  /** Longest such wait: a database that was away for an hour is noticed within this time of its return. */
  readonly backoffMaxMs: number;
}

export const DEFAULT_TIMING: DeliveryTiming = { pauseMs: 250, backoffMinMs: 100, backoffMaxMs: 5_000 };

/** Exponential wait with jitter of a quarter, so that consumers felled by one outage don't return in step. */
export function backoffMs(timing: DeliveryTiming, failures: number): number {
  const full = Math.min(timing.backoffMinMs * 2 ** Math.min(failures, 20), timing.backoffMaxMs);
  return full * (0.75 + Math.random() * 0.25);
}

/** What follows from a handler's answer: the offset to read next, and how long to leave the partition alone before. */
export interface Verdict {
  readonly next: bigint;
  readonly waitMs: number;
  /** What the handler threw, else null. */
  readonly error: unknown;
}

/** Offset after the last record. */
export const endOf = (records: readonly ReadRecord[]): bigint => records[records.length - 1]!.offset + 1n;

/** Hands batches of one partition to the handler and turns answers and throws into verdicts; the same for every adapter. */
export class Delivery {
  private failures = 0;

  constructor(
    private readonly handler: BatchHandler,
    private readonly timing: DeliveryTiming,
  ) {}

  async hand(batch: RecordBatch): Promise<Verdict> {
    try {
      const next: unknown = await this.handler.batch(batch);
      // A handler that forgets its answer would otherwise read the same batch for ever, or skip all of it, in silence.
      if (typeof next !== 'bigint' || next < 0n)
        throw new TypeError(`a batch handler answered ${String(next)}, which is no offset`);
      this.failures = 0;
      return { next, waitMs: next < endOf(batch.records) ? this.timing.pauseMs : 0, error: null };
    } catch (error) {
      return { next: batch.records[0]!.offset, waitMs: backoffMs(this.timing, this.failures++), error };
    }
  }
}
