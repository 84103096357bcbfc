import { type EventLog, type LogRecord, RecordRefusedError } from '../../../platform/event-log/event-log.js';
import { type OutboxEvent, toLogRecord } from '../domain/envelope.js';
import { partitionOf } from '../domain/slots.js';
import type { SentEvent } from '../persistence/queue-store.js';

/** What the log did with a batch. Events that appear in neither list were not tried, and stay in the queue. */
export interface Outcome {
  readonly sent: SentEvent[];
  readonly refused: { readonly event: OutboxEvent; readonly cause: string }[];
}

interface Item {
  readonly event: OutboxEvent;
  readonly record: LogRecord;
}

/** One `send`: once something of a key or slot was held back, everything later of it is, or the order would be lost. */
interface Sending {
  readonly outcome: Outcome;
  readonly maySend: (event: OutboxEvent) => boolean;
  readonly haltedSlots: Set<number>;
  readonly haltedKeys: Set<string>;
}

/**
 * Sends claimed events in order. When the log refuses a batch, the refused records are found by halving, in order, and the
 * later events of their keys are held back; everything else goes through.
 */
export class Sender {
  constructor(
    private readonly log: EventLog,
    private readonly topic: string,
  ) {}

  /**
   * @param maySend asked before every append: whether the lease of the event's slot provably holds
   * @throws LogUnavailableError what was sent before it is lost to memory, and sent again: duplicates, not gaps
   */
  async send(
    events: readonly OutboxEvent[],
    partitions: number,
    maySend: (event: OutboxEvent) => boolean,
  ): Promise<Outcome> {
    const sending: Sending = {
      outcome: { sent: [], refused: [] },
      maySend,
      haltedSlots: new Set(),
      haltedKeys: new Set(),
    };
    const item = (event: OutboxEvent): Item => ({
      event,
      record: toLogRecord(event, partitionOf(event.slot, partitions)),
    });
    // A key that was refused before goes by itself, its head only: in a batch it would drag the others through the search.
    const suspects = new Map<string, OutboxEvent>();
    const good: Item[] = [];
    for (const event of events) {
      if (event.attempts === 0) good.push(item(event));
      else if (!suspects.has(keyOf(event))) suspects.set(keyOf(event), event);
    }
    await this.attempt(good, sending);
    for (const suspect of suspects.values()) await this.attempt([item(suspect)], sending);
    return sending.outcome;
  }

  private async attempt(items: readonly Item[], sending: Sending): Promise<void> {
    const going = items.filter(({ event }) => mayGo(event, sending));
    if (going.length === 0) return;
    try {
      const positions = await this.log.append(
        this.topic,
        going.map(({ record }) => record),
      );
      going.forEach(({ event }, i) => sending.outcome.sent.push({ event, ...positions[i]! }));
    } catch (error) {
      if (!(error instanceof RecordRefusedError)) throw error;
      const [only, ...others] = going;
      if (others.length === 0) {
        sending.haltedKeys.add(keyOf(only!.event));
        sending.outcome.refused.push({ event: only!.event, cause: error.message.slice(0, 500) });
        return;
      }
      // One after the other, so that what the first finds out about a key holds for the second.
      for (const part of split(going)) await this.attempt(part, sending);
    }
  }
}

function mayGo(event: OutboxEvent, { maySend, haltedSlots, haltedKeys }: Sending): boolean {
  if (!maySend(event)) haltedSlots.add(event.slot);
  return !haltedSlots.has(event.slot) && !haltedKeys.has(keyOf(event));
}

const keyOf = (event: OutboxEvent): string => `${event.tenantId}/${event.aggregateId}`;

/** By partition first: a refusal says nothing of other partitions, which may be in the log already. Then in halves. */
function split(items: readonly Item[]): (readonly Item[])[] {
  const byPartition = Map.groupBy(items, ({ record }) => record.partition);
  if (byPartition.size > 1) return [...byPartition.values()];
  const middle = Math.ceil(items.length / 2);
  return [items.slice(0, middle), items.slice(middle)];
}
