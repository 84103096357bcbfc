import { Auditor } from './auditor.js';
import type { PlantedBug } from './planted-bug.js';
import type { HouseEvent, Receipt } from './database.js';
import { type Doubles } from './house.js';

const auditor = (Double: typeof Auditor): { readonly doubles: Pick<Doubles, 'auditor'> } => ({
  doubles: { auditor: (house) => new Double(house) },
});

class Untiring extends Auditor {
  protected override mayTry(): boolean {
    return true;
  }
}

class Forgetful extends Auditor {
  protected override stalled(): Receipt[] {
    const { db } = this.house;
    return [...db.receipts.values()].filter((receipt) => !receipt.requeued && this.passed(receipt));
  }
}

class Trusting extends Auditor {
  protected override stalled(): Receipt[] {
    return [];
  }
}

class ByOffsetAlone extends Auditor {
  protected override passed({ partition, offset }: Receipt): boolean {
    return (this.house.db.offsets.get(partition)?.next ?? 0) > offset;
  }
}

class Renaming extends Auditor {
  protected override enqueue(event: HouseEvent): void {
    const { db } = this.house;
    const queueId = db.nextQueueId();
    db.queue.set(queueId, { queueId, xid: queueId, event, eventId: event.eventId.replace('2', '3') });
  }
}

class LeavesTheMark extends Auditor {
  protected override release(key: string): void {
    const { db } = this.house;
    db.blocks.delete(key);
    for (const row of db.queue.values()) if (row.event.key === key) row.shelved = false;
  }
}

export const AUDITOR_BUGS: readonly PlantedBug[] = [
  {
    name: 'auditor-unbounded',
    what: 'what does not come through is resumed for ever',
    breaks: ['UNBOUNDED'],
    options: auditor(Untiring),
  },
  {
    name: 'auditor-resumes-applied',
    what: 'what is applied is published again: nobody looks into the inbox',
    breaks: ['TWICE'],
    options: auditor(Forgetful),
  },
  {
    name: 'receipt-taken-for-delivery',
    what: 'what the broker acknowledged and then lost is not missed',
    breaks: ['LOST'],
    options: auditor(Trusting),
  },
  {
    name: 'auditor-waits-for-offset',
    what: 'a lost event is missed only once the consumer has passed an offset that the log may never give again',
    breaks: ['LOST'],
    options: auditor(ByOffsetAlone),
  },
  {
    name: 'resumed-with-new-id',
    what: 'the auditor resumes an event under a new id',
    breaks: ['IDENTITY'],
    options: auditor(Renaming),
  },
  {
    name: 'release-leaves-mark',
    what: 'a released key stays below the low-water mark',
    breaks: ['STUCK', 'INVERTED'],
    options: auditor(LeavesTheMark),
  },
  {
    name: 'drop-by-age',
    what: 'a month is dropped by its age, whatever it holds',
    breaks: ['DROPPED', 'STUCK'],
    options: { doubles: { mayDrop: () => true } },
  },
  {
    name: 'drop-what-is-queued',
    what: 'a month is dropped while the queue still names its events',
    breaks: ['STUCK'],
    options: {
      doubles: {
        mayDrop: (watch, month) =>
          [...watch.truth.values()].every((event) => event.month !== month || watch.applied(event)),
      },
    },
  },
];
