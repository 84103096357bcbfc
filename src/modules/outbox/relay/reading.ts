import { PRIORITIES } from '../contract/events.js';
import { type Claimed, FIRST_TENANT, type QueueRange } from '../persistence/queue-store.js';

/** Of a batch, what the lower priority may take: a part, so that it never delays the higher one by much, nor waits for ever. */
const LOWER_SHARE = 4;

/** Where a lane reads on among the tenants of its slots; from the beginning again once it has been through all. */
export class Reading {
  private readonly from = new Map<string, string>();

  /** What to claim next of these slots. */
  ranges(slots: readonly number[], batchSize: number): QueueRange[] {
    return slots.flatMap((slot) =>
      PRIORITIES.map((priority) => ({
        slot,
        priority,
        from: this.from.get(`${slot}/${priority}`) ?? FIRST_TENANT,
        limit: priority === 0 ? batchSize : Math.ceil(batchSize / LOWER_SHARE),
      })),
    );
  }

  /** Notes what a claim came to. True: there are tenants that it did not get to. */
  advance({ further }: Claimed): boolean {
    this.from.clear();
    for (const { slot, priority, tenantId } of further) this.from.set(`${slot}/${priority}`, tenantId);
    return further.length > 0;
  }
}
