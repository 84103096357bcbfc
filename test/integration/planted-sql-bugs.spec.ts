import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Projector } from '../../src/modules/consumer/contract/projector.js';
import { appendChanges } from '../../src/modules/outbox/contract/append-changes.js';
import type { OutboxEvent } from '../../src/modules/outbox/domain/envelope.js';
import { type HeldSlot, LeaseStore } from '../../src/modules/outbox/persistence/lease-store.js';
import { FIRST_TENANT } from '../../src/modules/outbox/contract/queue-heads.js';
import { QueueStore } from '../../src/modules/outbox/persistence/queue-store.js';
import { LowWater } from '../../src/modules/outbox/relay/low-water.js';
import { sql } from '../../src/platform/database/sql.js';
import type { BackgroundTx, Tx } from '../../src/platform/database/unit-of-work.js';
import { newId } from '../../src/platform/kernel/ids.js';
import { withClient } from '../support/fixtures.js';
import { GROUP, reservationData, ReliablePath, TOPIC } from '../support/reliable-path.js';

// The bugs of the simulation (docs/simulate.md) that live in SQL, on a real PostgreSQL: first the wrong statement does its
// damage, then ours, in the same schedule, does none.

const SLOT = 5;
const inSlot = (): string => newId().slice(0, -1) + SLOT.toString(16);

const LOCK_GUEST = sql(
  'test.raise_version',
  `UPDATE guests SET version = version + 1 WHERE tenant_id = $1 AND guest_id = $2 RETURNING version - 1 AS version`,
);
const COUNT_NIGHT = sql(
  'test.count_night',
  `INSERT INTO occupancy_nights AS o (tenant_id, property_id, night, booked_rooms) VALUES ($1, $2, '2027-03-01', 1)
   ON CONFLICT (tenant_id, property_id, night) DO UPDATE SET booked_rooms = o.booked_rooms + 1`,
);
const END_OWN_CONNECTION = sql('test.end_own_connection', `SELECT pg_terminate_backend(pg_backend_pid())`);

describe('on a real PostgreSQL', () => {
  let path: ReliablePath;
  let queue: QueueStore;

  beforeEach(async () => {
    path = await ReliablePath.open(1);
    queue = new QueueStore(path.work);
  });
  afterEach(() => path.close());

  const hold = async (owner: string, leaseMs = 60_000): Promise<HeldSlot> => {
    const { held } = await new LeaseStore(path.work).renew(owner, leaseMs, () => 16);
    return held.find(({ slot }) => slot === SLOT)!;
  };
  const claim = async (): Promise<readonly OutboxEvent[]> =>
    (await queue.claim([0, 1].map((priority) => ({ slot: SLOT, priority, from: FIRST_TENANT, limit: 100 }))))
      .events;
  const told = (events: readonly { aggregateId: string; keySeq: number }[]): [string, number][] =>
    events.map(({ aggregateId, keySeq }) => [aggregateId, keySeq]);
  /** Rows as somebody's own statement reads the queue. */
  const rows = async (
    rest: string,
    values: unknown[] = [],
  ): Promise<{ aggregateId: string; keySeq: number }[]> =>
    path.rows(
      `SELECT aggregate_id AS "aggregateId", key_seq AS "keySeq", queue_id::int AS "queueId" FROM outbox_queue ${rest}`,
      values,
    );
  /** A transaction that has drawn its queue id, during which `meanwhile` happens. */
  const late = (key: string, meanwhile: () => Promise<unknown>): Promise<void> =>
    path.uow.run(path.ctx, 'test.late', async (tx) => {
      await append(tx, key, 1);
      await meanwhile();
    });
  const append = (tx: Tx, aggregateId: string, version: number): Promise<void> =>
    appendChanges(tx, path.ctx, [
      { aggregateType: 'guest', aggregateId, version, type: 'guest.changed', data: {}, changes: {} },
    ]);

  it('reading on from the last id loses what commits late; reading from the head does not', async () => {
    const [slow, quick] = [inSlot(), inSlot()];
    let last = 0;
    await late(slow, async () => {
      await path.reserve(quick, 1, {});
      const seen = (await rows('WHERE queue_id > $1 ORDER BY queue_id', [last])) as unknown as {
        queueId: number;
      }[];
      last = seen.at(-1)!.queueId;
    });
    expect(await rows('WHERE queue_id > $1', [last])).toEqual([]);
    expect(told(await claim()).map(([key]) => key)).toContain(slow);
  });

  it('the order of transaction ids inverts a key; the order of queue ids, drawn under its lock, does not', async () => {
    const key = inSlot();
    await path.addGuests([key]);
    const change = async (tx: Tx): Promise<void> => {
      const [row] = await tx.query<{ version: number }>(LOCK_GUEST, [tx.tenantId, key]);
      await append(tx, key, row!.version);
    };
    const other = newId();
    await path.addGuests([other]);
    await path.uow.run(path.ctx, 'test.first', async (tx) => {
      // It has its id from here on, and takes the key's lock second.
      await tx.query(LOCK_GUEST, [tx.tenantId, other]);
      await path.uow.run(path.ctx, 'test.second', change);
      await change(tx);
    });
    expect(told(await rows('ORDER BY xmin::text::bigint'))).toEqual([
      [key, 2],
      [key, 1],
    ]);
    expect(told(await claim())).toEqual([
      [key, 1],
      [key, 2],
    ]);
  });

  it('a low-water mark at the last id loses what commits late; one that waits for the writers does not', async () => {
    const ours = async (wrong: boolean): Promise<string[]> => {
      const [slow, quick] = [inSlot(), inSlot()];
      const relay = path.relay();
      const held = await hold(relay.leases.owner);
      const lowWater = new LowWater(queue, relay.leases.owner);
      await late(slow, async () => {
        await path.reserve(quick, 1, {});
        await path.drain(relay);
        if (wrong) await queue.raiseLowWater(relay.leases.owner, [held], (await queue.writers()).last);
        else for (let look = 0; look < 3; look++) await lowWater.step([held]);
      });
      const found = told(await claim()).map(([key]) => key);
      await relay.stop();
      return found.includes(slow) ? ['found'] : ['lost'];
    };
    expect(await ours(false)).toEqual(['found']);
    expect(await ours(true)).toEqual(['lost']);
  });

  describe('a relay that was stopped past its lease, and whose try the log refused', () => {
    /** What can be claimed of the key's second version once the stale relay has said what it has to say. */
    async function afterStale(
      block: (event: OutboxEvent, held: HeldSlot) => Promise<unknown>,
    ): Promise<[string, number][]> {
      const key = inSlot();
      await path.reserve(key, 1, {});
      const stale = await hold('stale');
      const [event] = await claim();
      await path.rows(`UPDATE outbox_slots SET lease_until = '-infinity'`);
      const fresh = await hold('fresh');
      await queue.acknowledge('fresh', [fresh], [{ event: event!, partition: 0, offset: 0n }], []);
      await block(event!, stale);
      await path.reserve(key, 2, {});
      return told(await claim()).filter(([id]) => id === key);
    }

    it('stops a key for good that has been published, without the epoch in the acknowledgement', async () => {
      const left = await afterStale((event) =>
        path.rows(
          `INSERT INTO outbox_blocked_keys (tenant_id, aggregate_id, key_seq, status, attempts, cause)
           VALUES ($1, $2, $3, 'DLQ', 4, 'refused')`,
          [event.tenantId, event.aggregateId, event.keySeq],
        ),
      );
      expect(left).toEqual([]);
    });

    it('changes nothing with it', async () => {
      const refusal = { status: 'DLQ', attempts: 4, retryAfterMs: null } as const;
      const left = await afterStale((event, held) =>
        queue.acknowledge('stale', [held], [], [{ event, refusal, cause: 'refused' }]),
      );
      expect(left.map(([, version]) => version)).toEqual([2]);
    });
  });

  it('SKIP LOCKED hands the second version of a key to a second relay; a leased slot hands it to nobody', async () => {
    const key = inSlot();
    await path.reserve(key, 1, {});
    await path.reserve(key, 2, {});
    const sent: number[] = [];
    const take = `SELECT key_seq FROM outbox_queue ORDER BY queue_id LIMIT 1 FOR UPDATE SKIP LOCKED`;
    await withClient(path.db.superUrl, async (one) => {
      await withClient(path.db.superUrl, async (two) => {
        for (const client of [one, two]) await client.query('BEGIN');
        const [first] = (await one.query<{ key_seq: number }>(take)).rows;
        const [second] = (await two.query<{ key_seq: number }>(take)).rows;
        // The second is the quicker one.
        sent.push(second!.key_seq, first!.key_seq);
      });
    });
    expect(sent).toEqual([2, 1]);
    const first = await new LeaseStore(path.work).renew('one', 60_000, () => 16);
    const second = await new LeaseStore(path.work).renew('two', 60_000, () => 16);
    expect(first.held.map(({ slot }) => slot)).toContain(SLOT);
    expect(second.held).toEqual([]);
    expect(told(await claim())).toEqual([
      [key, 1],
      [key, 2],
    ]);
  });

  describe('a consumer whose connection ends in the middle of an effect', () => {
    /** Fails at its first event, with the connection. */
    const dying = (): Projector => {
      let died = false;
      return {
        name: 'dying',
        apply: async (tx) => {
          if (died) return;
          died = true;
          await tx.query(END_OWN_CONNECTION, []);
        },
      };
    };
    const nextOffset = async (): Promise<number> => {
      const found = await path.rows<{ next: number }>(
        `SELECT next_offset::int AS next FROM reservation_event_offsets`,
      );
      return found[0]!.next;
    };
    const stay = { propertyId: newId(), status: 'CONFIRMED', arrival: '2027-03-01', nightlyMinor: [100] };

    beforeEach(async () => {
      await path.reserve(inSlot(), 1, reservationData(stay), 'reservation.created');
      await path.drain();
    });

    it('has lost it, if the offset moved before', async () => {
      const consumer = path.consumer();
      await consumer.assigned(TOPIC, 0);
      await path.rows(
        `UPDATE reservation_event_offsets SET next_offset = 1, committed_at = now() WHERE consumer_group = $1`,
        [GROUP],
      );
      const apply = async (tx: BackgroundTx): Promise<void> => void (await tx.query(END_OWN_CONNECTION, []));
      await expect(path.work.run('test.effect', apply)).rejects.toThrow();
      const again = path.consumer();
      await path.consume(again);
      expect([await nextOffset(), await path.count('occupancy_nights')]).toEqual([1, 0]);
    });

    it('applies it once, the offset being moved with the effect', async () => {
      const consumer = path.consumer({ projectors: [dying()] });
      await path.consume(consumer);
      expect([await nextOffset(), await path.count('occupancy_nights')]).toEqual([0, 0]);
      await path.consume(consumer);
      expect([
        await nextOffset(),
        await path.count('occupancy_nights'),
        await path.count('event_inbox'),
      ]).toEqual([1, 1, 1]);
    });
  });

  it('ON CONFLICT DO NOTHING in the inbox applies an event twice; marks and a key that fails do not', async () => {
    const key = inSlot();
    const property = newId();
    const deliver = (): Promise<void> =>
      path.work.run('test.lenient', async (tx) => {
        await tx.query(LENIENT, [path.house.tenantId, key]);
        await tx.query(COUNT_NIGHT, [path.house.tenantId, property]);
      });
    for (let delivery = 0; delivery < 2; delivery++) await deliver();
    expect(await path.rows(`SELECT booked_rooms AS rooms FROM occupancy_nights`)).toEqual([{ rooms: 2 }]);

    const stay = { propertyId: newId(), status: 'CONFIRMED', arrival: '2027-03-01', nightlyMinor: [100] };
    await path.reserve(inSlot(), 1, reservationData(stay), 'reservation.created');
    await path.drain();
    const consumer = path.consumer();
    await path.consume(consumer);
    path.store.write(TOPIC, path.store.records(TOPIC));
    await path.consume(consumer);
    expect(
      await path.rows(`SELECT booked_rooms AS rooms FROM occupancy_nights WHERE property_id = $1`, [
        stay.propertyId,
      ]),
    ).toEqual([{ rooms: 1 }]);
  });
});

const LENIENT = sql(
  'test.lenient_inbox',
  `INSERT INTO event_inbox (tenant_id, aggregate_id, key_seq, occurred_at, event_id, consumed_at)
   VALUES ($1, $2, 1, '2027-03-01T00:00:00Z', $2, now()) ON CONFLICT DO NOTHING`,
);
