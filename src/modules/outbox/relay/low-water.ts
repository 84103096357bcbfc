import type { HeldSlot } from '../persistence/lease-store.js';
import type { QueueStore } from '../persistence/queue-store.js';

/**
 * Moves the low-water marks of a relay's slots. Numbers are given before commit, so the mark may pass a number only when every
 * transaction that could hold a lower one has ended: those that held the table's lock for writing when the number was read. A
 * long transaction that never wrote to the queue, which keeps vacuum from its work, doesn't hold the mark.
 */
export class LowWater {
  /** Rows that may leave between two steps: so many dead ones a claim may have to wade through, twice over, in all slots. */
  static readonly EVERY_ROWS = 5_000;

  private waiting: { readonly last: number; readonly writers: ReadonlySet<string> } | null = null;

  constructor(
    private readonly queue: QueueStore,
    private readonly owner: string,
  ) {}

  async step(held: readonly HeldSlot[]): Promise<void> {
    const now = await this.queue.writers();
    if (this.waiting && ![...this.waiting.writers].some((writer) => now.writers.has(writer))) {
      await this.queue.raiseLowWater(this.owner, held, this.waiting.last);
      this.waiting = null;
    }
    this.waiting ??= now;
  }
}
