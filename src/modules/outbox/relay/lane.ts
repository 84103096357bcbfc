import { traceIdOf } from '../../../platform/context/op-context.js';
import type { LoopLog } from '../../../platform/worker/loop.js';
import { metrics } from '../../../platform/observability/metrics.js';
import { afterRefusal } from '../domain/refusal.js';
import { laneOf } from '../domain/slots.js';
import type { HeldSlot } from '../persistence/lease-store.js';
import type { QueueStore, RefusedEvent, SentEvent } from '../persistence/queue-store.js';
import type { Leases } from './leases.js';
import { Reading } from './reading.js';
import type { Sender } from './sender.js';

/** What the lanes of a relay share. */
export interface LaneParts {
  readonly leases: Leases;
  readonly queue: QueueStore;
  readonly sender: Sender;
  readonly partitions: () => Promise<number>;
  /** Events a slot and batch. */
  readonly batchSize: number;
  readonly retryScheduleMs: readonly number[];
  /** Called when slots wait to be given back, or were found lost. */
  readonly leasesChanged: () => void;
  /** Called after each acknowledgement with the number of rows that left the queue. */
  readonly left?: (rows: number) => void;
  readonly log: LoopLog;
  /** For the jitter of a retry. */
  readonly random?: () => number;
}

/** One of the lanes of a relay: claims, sends, acknowledges, one batch at a time. Order within a slot follows from that. */
export class Lane {
  private readonly reading = new Reading();

  constructor(
    private readonly number: number,
    private readonly parts: LaneParts,
  ) {}

  /** Sends one batch. Answers true when there was one, so that the loop looks again at once. */
  async step(): Promise<boolean> {
    const partitions = await this.parts.partitions();
    const mine = this.parts.leases.holding().filter(({ slot }) => laneOf(slot, partitions) === this.number);
    if (mine.length === 0) return false;
    const moved = await this.parts.leases.using(mine, () => this.relay(mine, partitions));
    if (this.parts.leases.owesSlots) this.parts.leasesChanged();
    return moved;
  }

  private async relay(mine: readonly HeldSlot[], partitions: number): Promise<boolean> {
    const { leases, queue, sender, batchSize } = this.parts;
    const claimed = await queue.claim(
      this.reading.ranges(
        mine.map(({ slot }) => slot),
        batchSize,
      ),
    );
    const further = this.reading.advance(claimed);
    const shelved = claimed.parked.length > 0 ? await queue.shelve(leases.owner, mine, claimed.parked) : 0;
    const { events } = claimed;
    // What could not be shelved waits for the next look: the slots are another relay's, or the keys were let go.
    if (events.length === 0) return further || shelved > 0;
    const bySlot = new Map(mine.map((held) => [held.slot, held]));
    const outcome = await sender.send(events, partitions, ({ slot }) => leases.holds(bySlot.get(slot)!));
    if (outcome.sent.length + outcome.refused.length === 0) return false;
    const refused = outcome.refused.map(({ event, cause }) => ({
      event,
      cause,
      refusal: afterRefusal(event.attempts, this.parts.retryScheduleMs, this.parts.random),
    }));
    const still = await queue.acknowledge(leases.owner, mine, outcome.sent, refused);
    this.account(mine, still, outcome.sent, refused);
    this.parts.left?.(outcome.sent.length);
    return true;
  }

  private account(
    mine: readonly HeldSlot[],
    still: ReadonlySet<number>,
    sent: readonly SentEvent[],
    refused: readonly RefusedEvent[],
  ): void {
    const lost = new Set(mine.map(({ slot }) => slot).filter((slot) => !still.has(slot)));
    if (lost.size > 0) {
      this.parts.log.warn(
        `the leases of slots ${[...lost].join(', ')} went to another relay: it sends their events again`,
      );
      this.parts.leases.lost(lost);
      this.parts.leasesChanged();
    }
    const now = Date.now();
    for (const one of sent) {
      const { event } = one;
      if (!still.has(event.slot)) continue;
      this.parts.log.debug?.(sentLine(one));
      metrics.published.inc();
      metrics.publishSeconds.observe(Math.max(0, now - Date.parse(event.occurredAt)) / 1000);
    }
    for (const { event, refusal, cause } of refused) {
      if (!still.has(event.slot)) continue;
      if (refusal.status === 'DLQ') metrics.deadLetters.inc({ code: 'RECORD_REFUSED' });
      this.parts.log.error(
        `the log refused event ${event.eventId} (trace ${traceIdOf(event.traceparent)}, try ${refusal.attempts}, now ${refusal.status}): ${cause}`,
      );
    }
  }
}

const sentLine = ({ event, partition, offset }: SentEvent): object => ({
  msg: 'event published',
  traceId: traceIdOf(event.traceparent),
  correlationId: event.correlationId,
  tenantId: event.tenantId,
  eventId: event.eventId,
  type: event.type,
  partition,
  offset: String(offset),
});
