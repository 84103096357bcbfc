import { type HouseEvent, refOf, type Trouble, type Tx } from './database.js';
import type { House } from './house.js';
import { Proc } from './world.js';

/** When the simulated world began. */
const EPOCH_MS = Date.UTC(2027, 2, 1);

/** An aggregate that is written to. */
export interface Aggregate {
  readonly tenantId: string;
  readonly aggregateId: string;
  readonly slot: number;
  readonly priority: number;
}

/** How often events have which trouble. */
export type Troubles = readonly (readonly [Trouble, number])[];

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

/** An aggregate's id ends with its slot. */
export const aggregate = (number: number, slot: number): Aggregate => ({
  tenantId: `00000000-0000-7000-8000-00000000000${(number % 3) + 1}`,
  aggregateId: `10000000-0000-7000-8000-0000000${hex(number, 4)}${hex(slot, 1)}`,
  slot,
  priority: (number >> 1) & 1,
});

export const keyOf = ({ tenantId, aggregateId }: Aggregate): string => `${tenantId}/${aggregateId}`;

/**
 * An API process: changes aggregates in transactions that take their version under the row's lock, draw queue ids, and
 * commit some time after.
 */
export class Writer {
  readonly proc: Proc;
  private made = 0;

  constructor(
    private readonly house: House,
    private readonly number: number,
    skewMs: number,
    private readonly troubles: Troubles,
  ) {
    this.proc = new Proc(`writer-${number}`, skewMs);
  }

  /** Runs `transactions`, spread over `ms`. */
  async run(aggregates: readonly Aggregate[], transactions: number, ms: number): Promise<void> {
    const { world, watch } = this.house;
    watch.writing += 1;
    for (let i = 0; i < transactions; i++) {
      // In bursts: what comes at once gets in each other's way.
      const burst = world.random.chance(0.5);
      await world.sleep(this.proc, world.random.between(0, burst ? 5 : (3 * ms) / transactions));
      const chosen = new Set([world.random.pick(aggregates)]);
      if (world.random.chance(0.3)) chosen.add(world.random.pick(aggregates));
      await this.write([...chosen].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)));
    }
    watch.writing -= 1;
  }

  private async write(aggregates: readonly Aggregate[]): Promise<void> {
    const { world, db } = this.house;
    const tx = db.begin(this.proc);
    const begun = world.now;
    // Something else of the request comes first; by now the transaction has its id.
    await world.sleep(this.proc, world.random.between(0, 6));
    for (const one of aggregates) {
      const locked = await new Promise<boolean>((resolve) =>
        db.lock(tx, [`aggregate ${keyOf(one)}`], (error) =>
          world.resume(this.proc, world.now + world.latency(), () => resolve(error === null && tx.open)),
        ),
      );
      if (!locked) return db.rollback(tx);
      this.append(tx, one, begun);
      await world.sleep(this.proc, world.random.between(0, 4));
    }
    await world.sleep(
      this.proc,
      world.random.chance(0.1) ? world.random.between(50, 900) : world.random.between(0, 8),
    );
    if (!tx.open || world.random.chance(0.05)) return db.rollback(tx);
    db.commit(tx, () => undefined);
    if (world.random.chance(0.8)) for (const relay of this.house.relays) relay.wake();
  }

  private append(tx: Tx, { tenantId, aggregateId, slot, priority }: Aggregate, begun: number): void {
    const { world, db, watch } = this.house;
    const key = `${tenantId}/${aggregateId}`;
    const seq = (db.versions.get(key) ?? 0) + 1;
    const event: HouseEvent = {
      key,
      tenantId,
      aggregateId,
      slot,
      priority,
      seq,
      eventId: `20000000-0000-7000-8000-${hex(this.number, 4)}${hex(++this.made, 8)}`,
      occurredAt: new Date(EPOCH_MS + begun).toISOString().replace('Z', '000Z'),
      writtenAt: world.now + this.proc.skewMs,
      month: Math.floor(begun / 1_000),
      trouble: this.trouble(),
    };
    const queueId = db.nextQueueId(tx);
    tx.writes.push(() => {
      world.note(() => `${this.proc.name} commits ${refOf(key, seq)}, row ${queueId} of slot ${slot}`);
      db.versions.set(key, seq);
      db.events.set(refOf(key, seq), event);
      db.queue.set(queueId, { queueId, xid: tx.xid, event });
      watch.committed(event);
    });
  }

  private trouble(): Trouble {
    let left = this.house.world.random.next();
    for (const [trouble, share] of this.troubles) if ((left -= share) < 0) return trouble;
    return 'none';
  }
}
