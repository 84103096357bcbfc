import type { OutboxEvent } from '../../src/modules/outbox/domain/envelope.js';
import type { HeldSlot } from '../../src/modules/outbox/persistence/lease-store.js';
import type {
  Claimed,
  QueueRange,
  RefusedEvent,
  SentEvent,
} from '../../src/modules/outbox/persistence/queue-store.js';
import { type LaneParts } from '../../src/modules/outbox/relay/lane.js';
import { Leases } from '../../src/modules/outbox/relay/leases.js';
import { type Outcome, Sender } from '../../src/modules/outbox/relay/sender.js';
import {
  type EventLog,
  LogUnavailableError,
  type LogPosition,
  type LogRecord,
  RecordRefusedError,
} from '../../src/platform/event-log/event-log.js';
import type { PlantedBug } from './planted-bug.js';
import type { Database, QueueRow } from './database.js';
import { type Doubles, LEASE_MS, TOPIC } from './house.js';
import { toldBy } from './log.js';
import { outboxEvent, SimulatedLeases, SimulatedQueue } from './relay-stores.js';

type QueueDouble = typeof SimulatedQueue;
const queue = (Double: QueueDouble): Pick<Doubles, 'queue'> => ({
  queue: (proc, { db, watch }) => new Double(proc, db, watch),
});
const sender = (Double: typeof Sender): Pick<Doubles, 'sender'> => ({
  sender: (log) => new Double(log, TOPIC),
});

/** What something of one run remembers beyond the life of a process. */
function remembered<T extends object>(make: () => T): (db: Database) => T {
  const known = new WeakMap<Database, T>();
  return (db) => {
    if (!known.has(db)) known.set(db, make());
    return known.get(db)!;
  };
}

class WithoutEpoch extends SimulatedQueue {
  protected override stands(): boolean {
    return true;
  }
}

class ByTransaction extends SimulatedQueue {
  protected override order(a: QueueRow, b: QueueRow): number {
    return a.xid - b.xid || a.queueId - b.queueId;
  }
}

class ByClock extends SimulatedQueue {
  protected override order(a: QueueRow, b: QueueRow): number {
    return a.event.writtenAt - b.event.writtenAt;
  }
}

const cursors = remembered(() => new Map<number, number>());
class FromCursor extends SimulatedQueue {
  override async claim(ranges: readonly QueueRange[]): Promise<Claimed> {
    const claimed = await super.claim(ranges);
    for (const { slot, queueId } of claimed.events)
      cursors(this.db).set(slot, Math.max(Number(queueId), cursors(this.db).get(slot) ?? 0));
    return claimed;
  }

  protected override inSight(slot: number): QueueRow[] {
    const read = cursors(this.db).get(slot) ?? 0;
    return super.inSight(slot).filter(({ queueId }) => queueId > read);
  }
}

class PastTheHead extends SimulatedQueue {
  protected override next(rows: readonly QueueRow[]): QueueRow[] {
    const waits = ({ event }: QueueRow): boolean => {
      const block = this.db.blocks.get(event.key);
      return block?.seq === event.seq && block.nextAttemptAt > this.db.world.now;
    };
    return rows.filter((row) => !waits(row)).sort((a, b) => this.order(a, b));
  }
}

const rowLocks = remembered(() => new Map<number, number>());
const LOCKED_FOR_MS = 150;
/** FOR UPDATE SKIP LOCKED, with no slots: whoever comes takes what is free. */
class SkipLocked extends SimulatedQueue {
  override claim(ranges: readonly QueueRange[]): Promise<Claimed> {
    return this.ask(() => {
      const { queue: rows, world } = this.db;
      const locks = rowLocks(this.db);
      const free = [...rows.values()]
        .filter(({ queueId }) => (locks.get(queueId) ?? 0) <= world.now)
        .slice(0, ranges[0]!.limit);
      for (const { queueId } of free) locks.set(queueId, world.now + LOCKED_FOR_MS);
      return { events: free.map((row) => outboxEvent(row, 0)), parked: [], further: [] };
    });
  }

  protected override stands(): boolean {
    return true;
  }
}

/** Every relay believes that it holds everything. */
class NoLeases extends Leases {
  override holding(): HeldSlot[] {
    return Array.from({ length: 16 }, (_, slot) => ({ slot, epoch: 0 }));
  }

  override holds(): boolean {
    return true;
  }
}

class CountsTwice extends SimulatedQueue {
  override acknowledge(
    owner: string,
    held: readonly HeldSlot[],
    sent: readonly SentEvent[],
    refused: readonly RefusedEvent[],
  ): Promise<Set<number>> {
    const twice = refused.map((one) => ({
      ...one,
      refusal: { ...one.refusal, attempts: one.refusal.attempts + 1 },
    }));
    return super.acknowledge(owner, held, sent, twice);
  }
}

class ByApplicationClock extends SimulatedLeases {
  protected override clock(): number {
    return this.db.world.now + this.proc.skewMs;
  }
}

class LateDeadline extends Leases {
  override async renew(): Promise<boolean> {
    const grew = await super.renew();
    const clock = Reflect.get(this, 'monotonic') as () => number;
    Reflect.set(this, 'deadline', clock() + this.leaseMs);
    return grew;
  }
}

/** Takes the events out of the queue first, and sends them then. */
class AcknowledgesFirst {
  constructor(private readonly parts: LaneParts) {}

  async step(): Promise<boolean> {
    const { leases } = this.parts;
    const held = leases.holding();
    return leases.using(held, () => this.relay(held));
  }

  private async relay(held: readonly HeldSlot[]): Promise<boolean> {
    const { leases, queue: rows, sender: out, batchSize } = this.parts;
    const range = { from: '', limit: batchSize };
    const ranges = held.flatMap(({ slot }) => [0, 1].map((priority) => ({ slot, priority, ...range })));
    const { events } = await rows.claim(ranges);
    if (events.length === 0) return false;
    const sent = events.map((event) => ({ event, partition: 0, offset: 0n }));
    await rows.acknowledge(leases.owner, held, sent, []);
    const bySlot = new Map(held.map((one) => [one.slot, one]));
    await out.send(events, await this.parts.partitions(), ({ slot }) => leases.holds(bySlot.get(slot)!));
    return true;
  }
}

class Hopeful extends Sender {
  override async send(...args: Parameters<Sender['send']>): Promise<Outcome> {
    try {
      return await super.send(...args);
    } catch (error) {
      if (!(error instanceof LogUnavailableError)) throw error;
      return { sent: args[0].map((event) => ({ event, partition: 0, offset: 0n })), refused: [] };
    }
  }
}

class Blaming extends Sender {
  override async send(...args: Parameters<Sender['send']>): Promise<Outcome> {
    try {
      return await super.send(...args);
    } catch (error) {
      if (!(error instanceof LogUnavailableError)) throw error;
      return { sent: [], refused: [{ event: args[0][0]!, cause: error.message }] };
    }
  }
}

class Unasked extends Sender {
  override send(events: readonly OutboxEvent[], partitions: number): Promise<Outcome> {
    return super.send(events, partitions, () => true);
  }
}

/** After a refusal sends one by one, and stops for nobody. */
class PastRefusals extends Sender {
  override async send(
    events: readonly OutboxEvent[],
    partitions: number,
    maySend: (event: OutboxEvent) => boolean,
  ): Promise<Outcome> {
    const whole: Outcome = { sent: [], refused: [] };
    for (const event of events) {
      const { sent, refused } = await super.send([event], partitions, maySend);
      whole.sent.push(...sent);
      whole.refused.push(...refused);
    }
    return whole;
  }
}

/** Chooses the partition anew for each event. */
class Scattering {
  constructor(
    private readonly log: EventLog,
    private readonly partitions: number,
  ) {}

  async append(topic: string, records: readonly LogRecord[]): Promise<LogPosition[]> {
    const scattered = records.map((record) => ({
      ...record,
      partition: toldBy(record)!.seq % this.partitions,
    }));
    try {
      return await this.log.append(topic, scattered);
    } catch (error) {
      throw error instanceof RecordRefusedError ? new LogUnavailableError('scattered') : error;
    }
  }
}

export const RELAY_BUGS: readonly PlantedBug[] = [
  {
    name: 'no-epoch-check',
    what: 'the acknowledgement does not ask whether the slot is still held',
    breaks: ['FENCE'],
    options: { doubles: queue(WithoutEpoch) },
  },
  {
    name: 'order-by-transaction',
    what: 'the queue is read in the order of transaction ids, which are given before the row lock',
    breaks: ['INVERTED'],
    options: { doubles: queue(ByTransaction) },
  },
  {
    name: 'order-by-clock',
    what: 'the queue is read in the order of the time that the writing process saw',
    breaks: ['INVERTED', 'ATTEMPTS'],
    options: { doubles: queue(ByClock) },
  },
  {
    name: 'cursor-reads',
    what: 'the queue is read on from the last id, past rows that commit late',
    breaks: ['STUCK', 'INVERTED'],
    options: { doubles: queue(FromCursor) },
  },
  {
    name: 'low-water-past-uncommitted',
    what: 'the low-water mark rises to the last id given, whoever is still writing',
    breaks: ['STUCK', 'INVERTED'],
    options: {
      doubles: {
        lowWater: (rows, owner) => ({
          step: async (held) => rows.raiseLowWater(owner, held, (await rows.writers()).last),
        }),
      },
    },
  },
  {
    name: 'skip-locked',
    what: 'two relays take rows by SKIP LOCKED, without slots',
    breaks: ['INVERTED'],
    options: {
      withoutLeases: true,
      doubles: {
        ...queue(SkipLocked),
        leases: (store, owner, monotonic) => new NoLeases(store, owner, LEASE_MS, monotonic),
      },
    },
  },
  {
    name: 'past-the-head',
    what: 'a refused event waits, and the later ones of its key are sent',
    breaks: ['INVERTED'],
    options: { doubles: queue(PastTheHead) },
  },
  {
    name: 'acknowledge-before-send',
    what: 'events leave the queue before the log has them',
    breaks: ['LOST'],
    options: { doubles: { lane: (_number, parts) => new AcknowledgesFirst(parts) } },
  },
  {
    name: 'unknown-taken-for-sent',
    what: 'an append without an answer counts as sent',
    breaks: ['LOST'],
    options: { doubles: sender(Hopeful) },
  },
  {
    name: 'lease-by-application-clock',
    what: 'leases are written and judged by the clock of the process',
    breaks: ['FENCE', 'STUCK'],
    options: { doubles: { leaseStore: (proc, { db }) => new ByApplicationClock(proc, db) } },
  },
  {
    name: 'deadline-after-renewal',
    what: 'the deadline of a lease begins when the answer is there, not before the statement',
    breaks: ['FENCE'],
    options: {
      doubles: { leases: (store, owner, monotonic) => new LateDeadline(store, owner, LEASE_MS, monotonic) },
    },
  },
  {
    name: 'sends-unasked',
    what: 'events in hand are sent whether or not the lease still holds',
    breaks: ['FENCE'],
    options: { doubles: sender(Unasked) },
  },
  {
    name: 'refusal-counts-twice',
    what: 'a refused try is counted where it is made and where it is written down',
    breaks: ['ATTEMPTS'],
    options: { doubles: queue(CountsTwice) },
  },
  {
    name: 'outage-burns-a-try',
    what: 'a broker that does not answer counts as a refusal',
    breaks: ['BURNED', 'ATTEMPTS'],
    options: { doubles: sender(Blaming) },
  },
  {
    name: 'past-a-refusal',
    what: 'in one batch, what follows a refused event of its key is sent',
    breaks: ['INVERTED'],
    options: { doubles: sender(PastRefusals) },
  },
  {
    name: 'partition-by-event',
    what: 'the partition is chosen by the event and not by its key',
    breaks: ['INVERTED'],
    options: {
      doubles: {
        sender: (log, house) =>
          new Sender(new Scattering(log, house.log.partitions.length) as unknown as EventLog, TOPIC),
      },
    },
  },
];
