import { type HouseEvent, type Receipt, refOf } from './database.js';
import type { House } from './house.js';
import { AUDITOR_TRIES } from './watch.js';

/** How long an event may stand still before the auditor looks into it. */
const STALLED_MS = 350;

/**
 * The flow auditor, as a step over the database: finds events that were published and not applied, and queues them again,
 * with their own id, a bounded number of times. Then an operator must. What is in the dead letters is not its affair.
 */
export class Auditor {
  /** How often each event was resumed since an operator last looked. */
  protected readonly tries = new Map<string, number>();
  private readonly triedAt = new Map<string, number>();

  constructor(protected readonly house: House) {}

  /** One look, one statement: sees and changes the database at one moment. */
  step(): void {
    for (const receipt of this.stalled())
      if (this.mayTry(receipt.event)) this.resume(receipt.event, this.count(receipt.event));
  }

  /** What an operator does once the causes are gone: requeue, resume. */
  operate(): void {
    const { db } = this.house;
    for (const [key, { status }] of db.blocks) if (status === 'DLQ') this.release(key);
    for (const receipt of this.stalled())
      if (!this.mayTry(receipt.event)) this.tries.delete(this.refOf(receipt.event));
  }

  /** Lets a blocked key go on, and puts its rows where relays see them. */
  protected release(key: string): void {
    const { db } = this.house;
    db.blocks.delete(key);
    for (const row of db.queue.values())
      if (row.event.key === key && row.shelved) {
        row.shelved = false;
        const slot = db.slots[row.event.slot]!;
        slot.lowWater = Math.min(slot.lowWater, row.queueId - 1);
      }
  }

  /** Published, not applied, and not on its way any more. */
  protected stalled(): Receipt[] {
    const { db, watch } = this.house;
    return [...db.receipts.values()]
      .filter((receipt) => !receipt.requeued && !watch.applied(receipt.event) && this.passed(receipt))
      .filter(
        ({ event }) => !db.lettersOf(event.key).some(({ seq }) => seq === event.seq) && !db.isQueued(event),
      )
      .sort((a, b) => a.event.seq - b.event.seq);
  }

  /** Whether the record would have been applied by now. */
  protected passed({ event, partition, offset, publishedAt }: Receipt): boolean {
    const { world, db, log } = this.house;
    const since = world.now - Math.max(publishedAt, this.triedAt.get(this.refOf(event)) ?? 0);
    if (since <= STALLED_MS) return false;
    const next = db.offsets.get(partition)?.next ?? 0;
    // A log that lost its end, or all that the consumer has before it, may never again give that offset: no consumer passes it.
    return next > offset || offset >= log.end(partition) || !log.holdsFrom(partition, next);
  }

  protected mayTry(event: HouseEvent): boolean {
    return (this.tries.get(this.refOf(event)) ?? 0) < AUDITOR_TRIES;
  }

  /** Queues an event again. */
  protected resume(event: HouseEvent, tries: number): void {
    const { db, watch } = this.house;
    watch.resumed(event, tries);
    const receipt = db.receipts.get(this.refOf(event));
    if (receipt) Object.assign(receipt, { requeued: true, republished: receipt.republished + 1 });
    if (!db.isQueued(event)) this.enqueue(event);
  }

  protected enqueue(event: HouseEvent): void {
    const { db } = this.house;
    const queueId = db.nextQueueId();
    db.queue.set(queueId, { queueId, xid: queueId, event });
  }

  private count(event: HouseEvent): number {
    const ref = this.refOf(event);
    const tries = (this.tries.get(ref) ?? 0) + 1;
    this.tries.set(ref, tries);
    this.triedAt.set(ref, this.house.world.now);
    return tries;
  }

  private refOf({ key, seq }: HouseEvent): string {
    return refOf(key, seq);
  }
}

/** Drops the months of the event table that `mayDrop` lets go. */
export function dropMonths({ world, db, watch, doubles }: House): void {
  const present = Math.floor(world.now / 1_000);
  for (const month of new Set([...db.events.values()].map((event) => event.month))) {
    if (month >= present - 1 || !doubles.mayDrop(watch, month)) continue;
    world.note(() => `month ${month} is dropped`);
    for (const [ref, event] of db.events)
      if (event.month === month) {
        watch.dropping(event);
        db.events.delete(ref);
        db.receipts.delete(ref);
      }
  }
}
