import type { WatchedLoop } from '../../../platform/worker/loop-registry.js';
import type { LoopStatus } from '../../../platform/worker/loop.js';
import { describeFailure } from './failures.js';

/** Longest time that one step of a batch may take, ms: statements are cut off long before. */
const STALL_AFTER_MS = 60_000;

/** Shows liveness whether batches move. The log's adapter runs them, so they are no WorkerLoop; none in hand is well. */
export class BatchWatch implements WatchedLoop {
  readonly name = 'consumer.batches';
  private readonly inHand = new Set<{ movedAt: number }>();
  private endedAt = performance.now();
  private runs = 0;
  private failures = 0;
  private lastError: string | null = null;

  constructor(private readonly stallAfterMs = STALL_AFTER_MS) {}

  /** Runs a batch; it calls `moved` after each step. */
  async watch<T>(batch: (moved: () => void) => Promise<T>): Promise<T> {
    const mine = { movedAt: performance.now() };
    this.inHand.add(mine);
    try {
      const result = await batch(() => void (mine.movedAt = performance.now()));
      this.failures = 0;
      this.lastError = null;
      return result;
    } catch (error) {
      this.failures += 1;
      this.lastError = describeFailure(error).cause;
      throw error;
    } finally {
      this.inHand.delete(mine);
      this.runs += 1;
      this.endedAt = performance.now();
    }
  }

  status(): LoopStatus {
    const { name, runs, failures, lastError } = this;
    const oldest = Math.min(...[...this.inHand].map(({ movedAt }) => movedAt));
    const sinceMovedMs = Math.round(performance.now() - (this.inHand.size > 0 ? oldest : this.endedAt));
    const alive = this.inHand.size === 0 || sinceMovedMs < this.stallAfterMs;
    return { name, running: true, alive, sinceMovedMs, runs, failures, lastError };
  }
}
