import type { OutboxEvent } from '../../src/modules/outbox/domain/envelope.js';
import type { HeldSlot, LeaseStore } from '../../src/modules/outbox/persistence/lease-store.js';
import type {
  Claimed,
  QueuePlace,
  QueueRange,
  QueueStore,
  RefusedEvent,
  SentEvent,
} from '../../src/modules/outbox/persistence/queue-store.js';
import { type Database, type QueueRow, refOf } from './database.js';
import type { Watch } from './watch.js';
import type { Shape } from './work.js';
import type { Proc } from './world.js';

/** Tenants that one claim looks at: few, so that there are more. */
const TENANTS = 2;

/** The relay's view of a row. */
export function outboxEvent(row: QueueRow, attempts: number): OutboxEvent {
  const { event } = row;
  return {
    slot: event.slot,
    priority: event.priority,
    queueId: String(row.queueId),
    tenantId: event.tenantId,
    aggregateId: event.aggregateId,
    keySeq: event.seq,
    occurredAt: event.occurredAt,
    eventId: row.eventId ?? event.eventId,
    aggregateType: 'guest',
    type: 'guest.changed',
    version: 1,
    data: JSON.stringify({ guestId: event.aggregateId, fields: [] }),
    correlationId: event.eventId,
    traceparent: '',
    attempts,
  };
}

/** The hot queue in the simulated database. Methods in parts, so that a double can get one of them wrong. */
export class SimulatedQueue implements Shape<QueueStore> {
  constructor(
    protected readonly proc: Proc,
    protected readonly db: Database,
    protected readonly watch: Watch,
  ) {}

  claim(ranges: readonly QueueRange[]): Promise<Claimed> {
    return this.ask(() => {
      const events: OutboxEvent[] = [];
      const parked: QueuePlace[] = [];
      const further: { slot: number; priority: number; tenantId: string }[] = [];
      for (const range of ranges) {
        const { slot, priority } = range;
        const found = this.ofTenants(range);
        if (found.size === TENANTS) further.push({ slot, priority, tenantId: [...found.keys()].at(-1)! });
        const most = Math.max(1, Math.floor(range.limit / found.size));
        const rows = [...found.values()].flatMap((all) => this.next(all).slice(0, most));
        for (const row of rows.sort((a, b) => this.order(a, b))) {
          const block = this.db.blocks.get(row.event.key);
          const event = outboxEvent(row, block?.attempts ?? 0);
          if (this.standsStill(row)) parked.push(event);
          else events.push(event);
        }
      }
      return { events, parked, further };
    });
  }

  async shelve(owner: string, held: readonly HeldSlot[], places: readonly QueuePlace[]): Promise<number> {
    return this.ask(() => {
      let shelved = 0;
      for (const { slot, queueId } of places) {
        const row = this.db.queue.get(Number(queueId));
        if (
          row &&
          this.standsStill(row) &&
          held.some((one) => one.slot === slot && this.stands(owner, one))
        ) {
          row.shelved = true;
          shelved += 1;
        }
      }
      return shelved;
    });
  }

  async writers(): Promise<{ readonly last: number; readonly writers: ReadonlySet<string> }> {
    const last = await this.ask(() => this.db.lastDrawn);
    return { last, writers: await this.ask(() => this.db.queueWriters()) };
  }

  async raiseLowWater(owner: string, held: readonly HeldSlot[], last: number): Promise<void> {
    await this.ask(() => {
      for (const one of held.filter((slot) => this.stands(owner, slot))) {
        const slot = this.db.slots[one.slot]!;
        const ids = this.inSight(one.slot).map(({ queueId }) => queueId);
        slot.lowWater = Math.max(slot.lowWater, Math.min(last, ...ids.map((id) => id - 1)));
      }
    });
  }

  acknowledge(
    owner: string,
    held: readonly HeldSlot[],
    sent: readonly SentEvent[],
    refused: readonly RefusedEvent[],
  ): Promise<Set<number>> {
    return this.ask(() => {
      const still = new Set(held.filter((one) => this.stands(owner, one)).map(({ slot }) => slot));
      for (const { slot, epoch } of held)
        if (still.has(slot)) this.watch.accepts(owner, slot, epoch);
        else this.db.world.bit('acknowledgements fenced');
      for (const one of sent) if (still.has(one.event.slot)) this.gone(one);
      for (const one of refused) if (still.has(one.event.slot)) this.block(one);
      return still;
    });
  }

  /** The rows of a slot that its relay looks at. */
  protected inSight(slot: number): QueueRow[] {
    const { lowWater } = this.db.slots[slot]!;
    return this.db.rowsOf(slot).filter(({ shelved, queueId }) => !shelved && queueId > lowWater);
  }

  /** What a claim may take of a tenant's rows, the head first. */
  protected next(rows: readonly QueueRow[]): QueueRow[] {
    const { blocks, events, world } = this.db;
    return rows
      .filter(({ event }) => {
        const block = blocks.get(event.key);
        return block?.status !== 'FAILED' || block.nextAttemptAt <= world.now;
      })
      .filter(({ event }) => events.has(refOf(event.key, event.seq)))
      .sort((a, b) => this.order(a, b));
  }

  protected standsStill({ event }: QueueRow): boolean {
    return this.db.blocks.get(event.key)?.status === 'DLQ';
  }

  protected order(a: QueueRow, b: QueueRow): number {
    return a.queueId - b.queueId;
  }

  protected stands(owner: string, { slot, epoch }: HeldSlot): boolean {
    const row = this.db.slots[slot]!;
    return row.owner === owner && row.epoch === epoch;
  }

  /** One statement: all of it happens at one moment. */
  protected ask<T>(work: () => T): Promise<T> {
    return this.db.world.request<T>(this.proc, this.db.link, (reply) => reply({ value: work() }));
  }

  private ofTenants({ slot, priority, from }: QueueRange): Map<string, QueueRow[]> {
    const rows = this.inSight(slot).filter(
      ({ event }) => event.priority === priority && event.tenantId >= from,
    );
    const byTenant = Map.groupBy(rows, ({ event }) => event.tenantId);
    return new Map([...byTenant].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, TENANTS));
  }

  private gone({ event, partition, offset }: SentEvent): void {
    const row = this.db.queue.get(Number(event.queueId));
    if (!row) return;
    this.watch.acknowledged(row.event);
    this.db.queue.delete(row.queueId);
    const ref = refOf(row.event.key, row.event.seq);
    const receipt = this.db.receipts.get(ref);
    const position = { partition, offset: Number(offset), publishedAt: this.db.world.now };
    if (!receipt)
      this.db.receipts.set(ref, {
        event: row.event,
        ...position,
        requeued: false,
        republished: 0,
        lastTryAt: 0,
      });
    else if (receipt.requeued) Object.assign(receipt, position, { requeued: false });
    if (this.db.blocks.get(row.event.key)?.status === 'FAILED') this.db.blocks.delete(row.event.key);
  }

  private block({ event, refusal }: RefusedEvent): void {
    const key = `${event.tenantId}/${event.aggregateId}`;
    const before = this.db.blocks.get(key);
    if (before && before.status !== 'FAILED') return;
    const after = {
      seq: event.keySeq,
      status: refusal.status,
      attempts: refusal.attempts,
      nextAttemptAt: this.db.world.now + (refusal.retryAfterMs ?? 0),
    };
    this.watch.blocked(this.watch.truth.get(refOf(key, event.keySeq))!, before, after);
    this.db.blocks.set(key, after);
  }
}

/** Leases in the simulated database, by its clock. */
export class SimulatedLeases implements Shape<LeaseStore> {
  constructor(
    protected readonly proc: Proc,
    protected readonly db: Database,
  ) {}

  renew(
    owner: string,
    leaseMs: number,
    share: (relays: number) => number,
  ): Promise<{ readonly held: HeldSlot[]; readonly share: number }> {
    return this.ask(() => {
      const now = this.clock();
      const { relays, slots } = this.db;
      const others = [...relays].filter(([other, until]) => other !== owner && until > now).length;
      relays.set(owner, now + leaseMs);
      const fair = share(1 + others);
      const mine = slots.map((row, slot) => ({ row, slot })).filter(({ row }) => row.owner === owner);
      const free = slots
        .map((row, slot) => ({ row, slot }))
        .filter(({ row }) => row.owner !== owner && row.leaseUntil <= now);
      const taken = free.slice(0, Math.max(0, fair - mine.length));
      for (const { row, slot } of taken) {
        this.db.world.note(() => `${owner} takes slot ${slot} from ${row.owner}`);
        Object.assign(row, { owner, epoch: row.epoch + 1 });
      }
      const held = [...mine, ...taken];
      for (const { row } of held) row.leaseUntil = now + leaseMs;
      return { held: held.map(({ row, slot }) => ({ slot, epoch: row.epoch })), share: fair };
    });
  }

  async release(owner: string, slots: readonly number[]): Promise<void> {
    if (slots.length > 0) await this.ask(() => this.free(owner, slots));
  }

  retire(owner: string, slots: readonly number[]): Promise<void> {
    return this.ask(() => {
      this.free(owner, slots);
      this.db.relays.delete(owner);
    });
  }

  /** The clock that leases live by. */
  protected clock(): number {
    return this.db.world.now;
  }

  private free(owner: string, slots: readonly number[]): void {
    for (const slot of slots) {
      const row = this.db.slots[slot]!;
      if (row.owner === owner) Object.assign(row, { owner: null, leaseUntil: -1 });
    }
  }

  private ask<T>(work: () => T): Promise<T> {
    return this.db.world.request<T>(this.proc, this.db.link, (reply) => reply({ value: work() }));
  }
}
