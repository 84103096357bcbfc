import type {
  BatchHandler,
  EventLog,
  ReadRecord,
  RecordBatch,
} from '../../src/platform/event-log/event-log.js';
import type { EventEnvelope } from '../../src/modules/outbox/contract/events.js';

export const TOPIC = 'reservations.events';
const GROUP = 'faults-tail';

/** Reads the whole log along with everybody else, and remembers who came when. */
export class Tail implements BatchHandler {
  private readonly next = new Map<number, bigint>();
  private readonly times = new Map<string, number>();
  private readonly latest = new Map<string, number>();
  private inverted = 0;

  static async open(log: EventLog): Promise<Tail> {
    const tail = new Tail();
    const options = { topic: TOPIC, group: GROUP, maxBatchRecords: 5_000, maxBatchBytes: 8_000_000 };
    await log.subscribe(options, tail);
    return tail;
  }

  async assigned(_topic: string, partition: number): Promise<bigint> {
    return this.next.get(partition) ?? 0n;
  }

  async revoked(): Promise<void> {}

  async batch({ partition, records }: RecordBatch): Promise<bigint> {
    let next = this.next.get(partition) ?? 0n;
    for (const record of records) {
      // After a reassignment a batch may begin before what was read already.
      if (record.offset < next) continue;
      this.note(record);
      next = record.offset + 1n;
    }
    this.next.set(partition, next);
    return next;
  }

  /** The offset after the last record of each partition that has any. */
  get ends(): ReadonlyMap<number, bigint> {
    return this.next;
  }

  /** Records read. */
  get records(): number {
    return [...this.next.values()].reduce((sum, next) => sum + Number(next), 0);
  }

  /** How often the log holds this event. */
  timesOf(eventId: string): number {
    return this.times.get(eventId) ?? 0;
  }

  /** Events whose first appearance came after a later one of their key. */
  get inversions(): number {
    return this.inverted;
  }

  private note(record: ReadRecord): void {
    const event = eventOf(record);
    if (!event) return;
    const times = this.timesOf(event.eventId);
    this.times.set(event.eventId, times + 1);
    if (times > 0) return;
    const key = `${event.tenantId}/${event.aggregateId}`;
    const latest = this.latest.get(key) ?? 0;
    if (event.keySeq < latest) this.inverted += 1;
    else this.latest.set(key, event.keySeq);
  }
}

/** The record's event; null of poison. */
function eventOf({ value }: ReadRecord): EventEnvelope | null {
  try {
    const event = JSON.parse(value?.toString() ?? '') as Partial<EventEnvelope> | null;
    return typeof event?.eventId === 'string' && typeof event.keySeq === 'number'
      ? (event as EventEnvelope)
      : null;
  } catch {
    return null;
  }
}
