import { PRIORITIES } from '../contract/events.js';
import { FIRST_TENANT } from '../contract/queue-heads.js';
import type { Claimed, QueueRange } from '../persistence/queue-store.js';

/** Of a batch, what the lower priority may take: a part, so that it never delays the higher one by much, nor waits for ever. */
const LOWER_SHARE = 4;

/** Most events of a batch, all slots together: the time that they take is what everybody else's events wait behind a flood. */
const BATCH = 1_000;

/** Where a lane reads on among the tenants of its slots; from the beginning again once it has been through all. */
export class Reading {
  private readonly from = new Map<string, string>();

  /** What to claim next of these slots, `batchSize` of each at most. */
  ranges(slots: readonly number[], batchSize: number): QueueRange[] {
    const each = Math.min(batchSize, Math.ceil(BATCH / slots.length));
    return slots.flatMap((slot) =>
      PRIORITIES.map((priority) => ({
        slot,
        priority,
        from: this.from.get(`${slot}/${priority}`) ?? FIRST_TENANT,
        limit: priority === 0 ? each : Math.ceil(each / LOWER_SHARE),
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
