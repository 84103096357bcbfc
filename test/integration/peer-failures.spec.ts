import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Projector } from '../../src/modules/consumer/contract/projector.js';
import type { EventEnvelope } from '../../src/modules/outbox/contract/events.js';
import { LogUnavailableError } from '../../src/platform/event-log/event-log.js';
import { newId } from '../../src/platform/kernel/ids.js';
import { metrics } from '../../src/platform/observability/metrics.js';
import { FedConsumer } from '../support/fed-consumer.js';
import { reservationData, ReliablePath, type Stay, TOPIC } from '../support/reliable-path.js';

const inSlot = (slot: number): string => newId().slice(0, -1) + slot.toString(16);
const retriesSoFar = async (): Promise<number> =>
  (await metrics.retries.get()).values.reduce((sum, { value }) => sum + value, 0);

/** What systems of this kind were seen to get wrong, one test each. */
describe('what others got wrong:', () => {
  let path: ReliablePath;
  const stay = (status = 'CONFIRMED'): Stay => ({
    propertyId: path.house.propertyId,
    status,
    arrival: '2027-03-01',
    nightlyMinor: [100, 200],
  });
  const publish = async (count: number, slot = 0): Promise<string[]> => {
    const keys = Array.from({ length: count }, () => inSlot(slot));
    for (const key of keys) await path.reserve(key, 1, reservationData(stay()));
    await path.drain();
    return keys;
  };
  const envelope = (fields: Partial<EventEnvelope>): EventEnvelope => ({
    eventId: newId(),
    tenantId: path.house.tenantId,
    type: 'reservation.modified',
    version: 1,
    aggregateType: 'reservation',
    aggregateId: newId(),
    keySeq: 1,
    occurredAt: '2027-03-01T10:00:00.000001Z',
    correlationId: newId(),
    data: reservationData(stay()),
    ...fields,
  });
  const write = (event: EventEnvelope, partition = 0): void =>
    void path.store.write(TOPIC, [
      {
        partition,
        key: event.aggregateId,
        value: Buffer.from(JSON.stringify(event)),
        headers: { ce_tenantid: event.tenantId },
      },
    ]);
  const nights = (): Promise<object[]> =>
    path.rows(`SELECT night, booked_rooms, stayed_rooms FROM occupancy_nights ORDER BY night`);

  beforeEach(async () => {
    path = await ReliablePath.open();
  });
  afterEach(() => path.close());

  it('attempts counted twice: tries, retries counted, the dead letter and its record all tell one number', async () => {
    const tries: string[] = [];
    let outage = true;
    const failing: Projector = {
      name: 'failing',
      apply: async (_, events) => {
        if (outage) throw new LogUnavailableError('burns no attempt');
        tries.push(...events.map(({ eventId }) => eventId));
        throw new TypeError('fails each time');
      },
    };
    await publish(1);
    const consumer = path.consumer({ projectors: [failing] });
    const before = await retriesSoFar();
    for (let i = 0; i < 3; i++) await path.consume(consumer);
    outage = false;
    // The claim is lost in the midst of it all, and taken again: no try of the past is forgotten or added.
    await path.consume(path.consumer({ owner: 'passing', projectors: [failing], maxRetries: 3 }));
    await path.consume(consumer);
    const [letter] = await path.rows<{ retry_count: number }>(`SELECT retry_count FROM dead_letters`);
    expect([tries.length, letter!.retry_count, (await retriesSoFar()) - before]).toEqual([4, 3, 3]);
  });

  it('an offset commit that commits nothing: who comes after begins behind the last effect, and is handed nothing before', async () => {
    await publish(5);
    const first = await FedConsumer.of(path, path.log(), path.consumer());
    await first.hasApplied(5);
    await first.stop();
    await publish(1);
    const second = await FedConsumer.of(path, path.log(), path.consumer());
    await second.hasApplied(6);
    expect(second.batches).toEqual([[5n, 5n]]);
    await second.stop();
  });

  it('events missed while the group was down: they are applied, in order, by the first that comes back', async () => {
    const first = await FedConsumer.of(path, path.log(), path.consumer());
    await publish(2);
    await first.hasApplied(2);
    await first.stop();
    const [key] = await publish(3);
    await path.reserve(key!, 2, reservationData(stay('CHECKED_IN'), stay()));
    await path.drain();
    const back = await FedConsumer.of(path, path.log(), path.consumer());
    await back.hasApplied(6);
    await back.stop();
    // And a group that never was there begins with the first record that the log has.
    await path.rows(`TRUNCATE reservation_event_offsets, event_inbox, event_key_marks, occupancy_nights`);
    const fresh = await FedConsumer.of(path, path.log(), path.consumer());
    await fresh.hasApplied(6);
    await fresh.stop();
    expect(await path.count('dead_letters')).toBe(0);
  });

  it.each([
    ['the update first', [0, 1]],
    ['the create first', [1, 0]],
    ['both at once', null],
  ])('create and update of one aggregate on different partitions, %s: applied in order', async (_, order) => {
    const keys = Array.from({ length: 12 }, () => newId());
    for (const aggregateId of keys) {
      write(envelope({ aggregateId, keySeq: 2, data: reservationData(stay('CHECKED_IN'), stay()) }), 0);
      write(envelope({ aggregateId, keySeq: 1 }), 1);
    }
    const consumers = [path.consumer({ owner: 'update' }), path.consumer({ owner: 'create' })];
    const take = async (partition: number): Promise<void> => {
      const consumer = consumers[partition]!;
      await consumer.assigned(TOPIC, partition);
      for (const record of path.store.records(TOPIC).filter((one) => one.partition === partition))
        await consumer.batch(path.batch([record]));
    };
    if (order) for (const partition of order) await take(partition);
    else await Promise.all([take(0), take(1)]);
    await path.settle(path.consumer());
    expect([
      await path.count('event_inbox'),
      await path.rows(`SELECT DISTINCT applied_seq FROM event_key_marks`),
    ]).toEqual([24, [{ applied_seq: 2 }]]);
    expect(await path.rows(`SELECT DISTINCT status FROM dead_letters WHERE status <> 'RESOLVED'`)).toEqual(
      [],
    );
    expect(await nights()).toMatchObject([{ booked_rooms: 12 }, { booked_rooms: 12 }]);
  });

  it('create and update on different partitions, the update looked at while the create is not yet committed: it waits its turn', async () => {
    const aggregateId = newId();
    write(envelope({ aggregateId, keySeq: 2, data: reservationData(stay('CHECKED_IN'), stay()) }), 0);
    write(envelope({ aggregateId, keySeq: 1 }), 1);
    let entered!: () => void;
    let open!: () => void;
    const inside = new Promise<void>((resolve) => (entered = resolve));
    const gate = new Promise<void>((resolve) => (open = resolve));
    const slow: Projector = { name: 'slow', apply: () => (entered(), gate) };
    const [create, update] = [path.consumer({ projectors: [slow] }), path.consumer()];
    await create.assigned(TOPIC, 1);
    await update.assigned(TOPIC, 0);
    const creating = create.batch(path.batchOf(1));
    await inside;
    let updated = false;
    const updating = update.batch(path.batchOf(0)).finally(() => (updated = true));
    const waits = `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock') AS so`;
    while (!updated && !(await path.rows<{ so: boolean }>(waits))[0]!.so);
    open();
    await Promise.all([creating, updating]);
    await path.settle(path.consumer());
    expect(await path.rows(`SELECT applied_seq FROM event_key_marks`)).toEqual([{ applied_seq: 2 }]);
  });

  it('a late create that undoes a check-in: it changes nothing, be it the same event again or another one', async () => {
    const aggregateId = inSlot(0);
    const create = envelope({ aggregateId });
    write(create);
    write(envelope({ aggregateId, keySeq: 2, data: reservationData(stay('CHECKED_OUT'), stay()) }));
    await path.consume(path.consumer());
    const before = await nights();
    expect(before).toMatchObject([{ stayed_rooms: 1 }, { stayed_rooms: 1 }]);
    write(create);
    write(envelope({ aggregateId, occurredAt: '2027-03-02T10:00:00Z' }));
    await path.consume(path.consumer());
    expect([await nights(), await path.count('event_inbox')]).toEqual([before, 2]);
    expect(await path.rows(`SELECT failure_code AS code FROM dead_letters`)).toEqual([
      { code: 'KEY_REWIND' },
    ]);
  });

  it('a dedupe that fails open: what can not be looked up is not applied, and waits', async () => {
    await publish(2);
    const consumer = path.consumer();
    await path.consume(consumer);
    const before = await nights();
    path.store.write(TOPIC, path.store.records(TOPIC));
    await publish(1);
    for (const table of ['event_key_marks', 'event_inbox', 'dead_letters']) {
      await path.rows(`REVOKE SELECT ON ${table} FROM tartware_worker`);
      for (let i = 0; i < 5; i++) await path.consume(consumer);
      expect([
        table,
        await nights(),
        await path.count('event_inbox'),
        await path.count('dead_letters'),
      ]).toEqual([table, before, 2, 0]);
      await path.rows(`GRANT SELECT ON ${table} TO tartware_worker`);
    }
    await path.consume(consumer);
    expect([await path.count('event_inbox'), await path.count('dead_letters')]).toEqual([3, 0]);
  });

  it("a consumer that stays dead after the log's restart: it goes on by itself", async () => {
    const log = path.log();
    const fed = await FedConsumer.of(path, log, path.consumer());
    await publish(2);
    await fed.hasApplied(2);
    const read = path.store.read.bind(path.store);
    let refusals = 0;
    path.store.read = (...args) => {
      if (refusals === 3) return read(...args);
      refusals += 1;
      throw new LogUnavailableError('restarts');
    };
    await publish(2);
    await fed.hasApplied(4);
    expect([refusals, fed.status().connected]).toEqual([3, true]);
    await fed.stop();
  });
});
