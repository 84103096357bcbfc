import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Projector } from '../../src/modules/consumer/contract/projector.js';
import { DeadLetterPublisher } from '../../src/modules/consumer/dead-letters/dead-letter-publisher.js';
import { FencedError } from '../../src/modules/consumer/persistence/fenced-error.js';
import { DeadLetterStore } from '../../src/modules/consumer/persistence/dead-letter-store.js';
import type { EventEnvelope } from '../../src/modules/outbox/contract/events.js';
import { sql } from '../../src/platform/database/sql.js';
import {
  type LogPosition,
  type LogRecord,
  LogUnavailableError,
  type ReadRecord,
} from '../../src/platform/event-log/event-log.js';
import { MemoryEventLog } from '../../src/platform/event-log/memory/memory-event-log.js';
import { newId, PLATFORM_TENANT_ID } from '../../src/platform/kernel/ids.js';
import { metrics } from '../../src/platform/observability/metrics.js';
import { DLQ, GROUP, reservationData, ReliablePath, type Stay, TOPIC } from '../support/reliable-path.js';

/** A projector that does what the test says. */
class Meddler implements Projector {
  readonly name = 'meddler';
  calls = 0;
  meddle: (events: readonly EventEnvelope[]) => Promise<void> | void = () => undefined;

  async apply(_tx: unknown, events: readonly EventEnvelope[]): Promise<void> {
    this.calls += 1;
    await this.meddle(events);
  }
}

/** A log that takes records and whose answers are lost. */
class ForgetfulLog extends MemoryEventLog {
  forgets = true;

  override async append(topic: string, records: readonly LogRecord[]): Promise<LogPosition[]> {
    const positions = await super.append(topic, records);
    if (this.forgets) throw new LogUnavailableError('the answer was lost');
    return positions;
  }
}

const inSlot = (slot: number): string => newId().slice(0, -1) + slot.toString(16);
const valueOf = async (metric: { get(): Promise<{ values: { value: number }[] }> }): Promise<number> =>
  (await metric.get()).values.reduce((sum, { value }) => sum + value, 0);

describe('the consumer', () => {
  let path: ReliablePath;
  let meddler: Meddler;
  const stay = (
    status: string,
    arrival = '2027-03-01',
    nightlyMinor: readonly number[] = [100, 200],
  ): Stay => ({
    propertyId: path.house.propertyId,
    status,
    arrival,
    nightlyMinor,
  });
  const nights = (): Promise<object[]> =>
    path.rows(`SELECT night, booked_rooms, booked_revenue_minor::int AS revenue, stayed_rooms FROM occupancy_nights
      WHERE booked_rooms <> 0 OR booked_revenue_minor <> 0 OR stayed_rooms <> 0 ORDER BY night`);
  const letters = (): Promise<
    { code: string; status: string; key_seq: number | null; retries: number; tenant: string }[]
  > =>
    path.rows(`SELECT failure_code AS code, status, key_seq, retry_count AS retries, tenant_id AS tenant
      FROM dead_letters ORDER BY created_at, log_offset`);
  const offset = async (): Promise<number> => {
    const [row] = await path.rows<{ n: number }>(
      `SELECT next_offset::int AS n FROM reservation_event_offsets`,
    );
    return row!.n;
  };
  /** A record as a stranger may write it. */
  const foreign = (value: unknown, fields: Partial<ReadRecord> = {}): void =>
    void path.store.write(TOPIC, [
      {
        partition: 0,
        key: (value as { aggregateId?: string } | null)?.aggregateId ?? 'key',
        value: Buffer.from(JSON.stringify(value)),
        headers: { ce_tenantid: (value as { tenantId?: string } | null)?.tenantId ?? '' },
        ...fields,
      },
    ]);
  const envelope = (fields: Partial<EventEnvelope> = {}): EventEnvelope => ({
    eventId: newId(),
    tenantId: path.house.tenantId,
    type: 'reservation.created',
    version: 1,
    aggregateType: 'reservation',
    aggregateId: newId(),
    keySeq: 1,
    occurredAt: '2027-03-01T10:00:00.000001Z',
    correlationId: newId(),
    data: reservationData(stay('CONFIRMED')),
    ...fields,
  });

  beforeEach(async () => {
    path = await ReliablePath.open();
    meddler = new Meddler();
  });
  afterEach(() => path.close());

  it('applies every event once, in a read model that equals a recount, through a relay and a rebalance', async () => {
    const relay = path.relay();
    const statuses = ['HELD', 'CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT', 'CANCELLED', 'NO_SHOW', 'EXPIRED'];
    const last = new Map<string, Stay>();
    const keys = Array.from({ length: 24 }, () => newId());
    let worked = (): void => undefined;
    const consumers = ['one', 'two'].map((owner) => path.consumer({ owner }));
    const subscribe = (index: number): ReturnType<ReturnType<ReliablePath['log']>['subscribe']> => {
      const consumer = consumers[index]!;
      return path.log().subscribe(
        { topic: TOPIC, group: GROUP, maxBatchRecords: 7, maxBatchBytes: 1_000_000 },
        {
          assigned: (topic, partition) => consumer.assigned(topic, partition),
          revoked: (topic, partition) => consumer.revoked(topic, partition),
          batch: (batch) => consumer.batch(batch).finally(() => worked()),
        },
      );
    };
    const first = await subscribe(0);
    relay.start();
    for (let version = 1; version <= 6; version++) {
      if (version === 3) await subscribe(1);
      await Promise.all(
        keys.map(async (key, k) => {
          const next = stay(
            statuses[(version * 5 + k * 3) % statuses.length]!,
            `2027-03-${String(1 + ((k + version) % 20)).padStart(2, '0')}`,
            Array.from({ length: 1 + ((k + version) % 4) }, (_, i) => 1000 * (i + 1) + k),
          );
          await path.reserve(key, version, reservationData(next, last.get(key) ?? null));
          last.set(key, next);
        }),
      );
    }
    for (;;) {
      // Made before the look, so that a batch between the two is not missed.
      const batch = new Promise<void>((resolve) => (worked = resolve));
      if ((await path.count('event_inbox')) >= 144) break;
      await batch;
    }
    await first.stop();
    expect(await path.count('event_inbox')).toBe(144);
    expect(await path.count('dead_letters')).toBe(0);
    const recount = new Map<string, { booked_rooms: number; revenue: number; stayed_rooms: number }>();
    for (const { status, arrival, nightlyMinor } of last.values())
      nightlyMinor.forEach((amount, i) => {
        if (!['CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT'].includes(status)) return;
        const night = new Date(Date.parse(arrival) + i * 86_400_000).toISOString().slice(0, 10);
        const sum = recount.get(night) ?? { booked_rooms: 0, revenue: 0, stayed_rooms: 0 };
        sum.booked_rooms += 1;
        sum.revenue += amount;
        if (status === 'CHECKED_OUT') sum.stayed_rooms += 1;
        recount.set(night, sum);
      });
    const expected = [...recount]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([night, sum]) => ({ night, ...sum }));
    expect(await nights()).toEqual(expected);
  });

  it('counts what is delivered again, and does not apply it again', async () => {
    const key = inSlot(0);
    await path.reserve(key, 1, reservationData(stay('CONFIRMED')));
    await path.reserve(key, 2, reservationData(stay('CHECKED_IN'), stay('CONFIRMED')));
    await path.drain();
    const consumer = path.consumer();
    await path.consume(consumer);
    const before = [await nights(), await valueOf(metrics.duplicates)];
    path.store.write(TOPIC, path.store.records(TOPIC));
    await path.consume(consumer);
    expect([await nights(), await offset(), await path.count('event_inbox')]).toEqual([before[0], 4, 2]);
    expect(await valueOf(metrics.duplicates)).toBe((before[1] as number) + 2);
  });

  it('moves the offset with the effect, in one transaction, or neither', async () => {
    await path.reserve(inSlot(0), 1, reservationData(stay('CONFIRMED')));
    await path.drain();
    const consumer = path.consumer({ projectors: [meddler] });
    await consumer.assigned(TOPIC, 0);
    meddler.meddle = () => {
      throw new LogUnavailableError('infrastructure, after the occupancy was written');
    };
    expect(await consumer.batch(path.batchOf(0))).toBe(0n);
    expect([await nights(), await offset(), await path.count('event_inbox')]).toEqual([[], 0, 0]);
    meddler.meddle = () => undefined;
    expect(await consumer.batch(path.batchOf(0))).toBe(1n);
    expect([(await nights()).length, await offset(), await path.count('event_inbox')]).toEqual([2, 1, 1]);
  });

  it('leaves nothing behind of a projector that still works when another one fails', async () => {
    const note = sql(
      'test.note_night',
      `INSERT INTO occupancy_nights (tenant_id, property_id, night, booked_rooms) VALUES ($1, $1, $2, 1)`,
    );
    const slow: Projector = {
      name: 'slow',
      apply: async (tx, [event]) => {
        for (const night of ['2030-01-01', '2030-01-02', '2030-01-03'])
          await tx.query(note, [event!.tenantId, night]);
      },
    };
    await path.reserve(inSlot(0), 1, reservationData(stay('CONFIRMED')));
    await path.drain();
    meddler.meddle = () => {
      throw new LogUnavailableError('at once, while the other is at its first statement');
    };
    const consumer = path.consumer({ projectors: [meddler, slow] });
    await consumer.assigned(TOPIC, 0);
    for (let i = 0; i < 5; i++) expect(await consumer.batch(path.batchOf(0))).toBe(0n);
    expect(await nights()).toEqual([]);
  });

  it('burns no attempt on an infrastructure error, however often it comes', async () => {
    await path.reserve(inSlot(0), 1, reservationData(stay('CONFIRMED')));
    await path.drain();
    const consumer = path.consumer({ projectors: [meddler] });
    await consumer.assigned(TOPIC, 0);
    const retries = await valueOf(metrics.retries);
    meddler.meddle = () => {
      throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    };
    for (let i = 0; i < 6; i++) expect(await consumer.batch(path.batchOf(0))).toBe(0n);
    expect([meddler.calls, await valueOf(metrics.retries), await path.count('dead_letters')]).toEqual([
      6,
      retries,
      0,
    ]);
    expect(path.reports.lines).toHaveLength(1);
  });

  describe('with what one fetch brought of several partitions', () => {
    const PARTITIONS = [0, 1, 2, 3];
    const arrive = async (): Promise<ReturnType<ReliablePath['consumer']>> => {
      for (const slot of PARTITIONS) await path.reserve(inSlot(slot), 1, reservationData(stay('CONFIRMED')));
      await path.drain();
      const consumer = path.consumer({ projectors: [meddler] });
      for (const partition of PARTITIONS) await consumer.assigned(TOPIC, partition);
      return consumer;
    };
    const offsets = async (): Promise<number[]> =>
      (
        await path.rows<{ n: number }>(
          `SELECT next_offset::int AS n FROM reservation_event_offsets ORDER BY partition`,
        )
      ).map(({ n }) => n);

    it('applies it in one transaction, and moves every offset', async () => {
      const consumer = await arrive();
      const ends = PARTITIONS.map((partition) => consumer.batch(path.batchOf(partition)));
      expect(await Promise.all(ends)).toEqual([1n, 1n, 1n, 1n]);
      expect([meddler.calls, await offsets(), await path.count('event_inbox')]).toEqual([1, [1, 1, 1, 1], 4]);
      const [row] = await path.rows(`SELECT count(DISTINCT xmin::text)::int AS n FROM event_inbox`);
      expect(row).toEqual({ n: 1 });
    });

    it('lets nobody suffer for another: a poison event goes to the dead letters alone', async () => {
      const consumer = await arrive();
      const poison = path.batchOf(2).records[0]!.key;
      meddler.meddle = (events) => {
        if (events.some(({ aggregateId }) => aggregateId === poison)) throw new Error('poison');
      };
      const ends = PARTITIONS.map((partition) => consumer.batch(path.batchOf(partition)));
      expect(await Promise.all(ends)).toEqual([1n, 1n, 1n, 1n]);
      expect(await letters()).toMatchObject([{ status: 'DEAD', retries: 3 }]);
      expect([await offsets(), await path.count('event_inbox')]).toEqual([[1, 1, 1, 1], 3]);
    });

    it('stops where another consumer has taken the partition, and there alone', async () => {
      const consumer = await arrive();
      await path.consumer({ owner: 'another' }).assigned(TOPIC, 1);
      const ends = await Promise.allSettled(
        PARTITIONS.map((partition) => consumer.batch(path.batchOf(partition))),
      );
      expect(ends.map((end) => (end.status === 'fulfilled' ? end.value : end.reason.name))).toEqual([
        1n,
        'FencedError',
        1n,
        1n,
      ]);
      expect([await offsets(), await path.count('event_inbox')]).toEqual([[1, 0, 1, 1], 3]);
    });

    it('burns no attempt of anybody on an infrastructure error', async () => {
      const consumer = await arrive();
      meddler.meddle = () => {
        throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
      };
      const ends = PARTITIONS.map((partition) => consumer.batch(path.batchOf(partition)));
      expect(await Promise.all(ends)).toEqual([0n, 0n, 0n, 0n]);
      expect([meddler.calls, await offsets(), await path.count('dead_letters')]).toEqual([
        1,
        [0, 0, 0, 0],
        0,
      ]);
    });
  });

  describe('with a poison event', () => {
    it('dead-letters it after one try and three retries, applies the rest, and parks its key alone', async () => {
      const [bad, good] = [inSlot(0), inSlot(0)];
      for (const key of [good, bad, good, bad, good]) {
        const version = path.events().filter(({ aggregateId }) => aggregateId === key).length + 1;
        await path.reserve(
          key,
          version,
          reservationData(stay('CONFIRMED'), version > 1 ? stay('CONFIRMED') : null),
        );
        await path.drain();
      }
      const tries: number[] = [];
      meddler.meddle = (events) => {
        if (!events.some(({ aggregateId }) => aggregateId === bad)) return;
        if (events.length === 1) tries.push(1);
        throw new TypeError('cannot read properties of undefined');
      };
      const retries = await valueOf(metrics.retries);
      const consumer = path.consumer({ projectors: [meddler] });
      await path.consume(consumer);
      expect(await letters()).toEqual([
        { code: 'PROJECTION_FAILED', status: 'DEAD', key_seq: 1, retries: 3, tenant: path.house.tenantId },
        { code: 'KEY_PARKED', status: 'PARKED', key_seq: 2, retries: 0, tenant: path.house.tenantId },
      ]);
      expect([tries.length, (await valueOf(metrics.retries)) - retries]).toEqual([4, 3]);
      expect([await offset(), await path.count('event_inbox')]).toEqual([5, 3]);
      const marks = await path.rows<{ applied_seq: number }>(
        `SELECT applied_seq FROM event_key_marks ORDER BY applied_seq`,
      );
      expect(marks).toEqual([{ applied_seq: 0 }, { applied_seq: 3 }]);
      // Delivered again, the dead and the parked event are duplicates as well.
      path.store.write(TOPIC, path.store.records(TOPIC));
      await path.consume(consumer);
      expect([(await letters()).length, tries.length]).toEqual([2, 4]);
    });

    it('tries an event that can never be applied only once', async () => {
      await path.reserve(inSlot(0), 1, reservationData(stay('CONFIRMED')));
      await path.drain();
      meddler.meddle = () => {
        throw Object.assign(new Error('Failing row contains (Ada Guest)'), {
          code: '23514',
          constraint: 'some_check',
        });
      };
      await path.consume(path.consumer({ projectors: [meddler] }));
      const [letter] = await path.rows<object>(
        `SELECT retry_count, failure_code, failure_cause FROM dead_letters`,
      );
      expect(letter).toEqual({
        retry_count: 0,
        failure_code: 'SQLSTATE_23514',
        failure_cause: 'PostgreSQL 23514, constraint some_check',
      });
      expect(meddler.calls).toBe(1);
    });

    it('succeeds when a retry does, and keeps no dead letter', async () => {
      await path.reserve(inSlot(0), 1, reservationData(stay('CONFIRMED')));
      await path.drain();
      meddler.meddle = () => {
        if (meddler.calls < 4) throw new Error('not yet');
      };
      await path.consume(path.consumer({ projectors: [meddler] }));
      expect([meddler.calls, await path.count('dead_letters'), await path.count('event_inbox')]).toEqual([
        4, 0, 1,
      ]);
    });

    it('never takes occupancy below zero: the database refuses, and the event is dead-lettered', async () => {
      await path.reserve(inSlot(0), 1, reservationData(stay('CANCELLED'), stay('CONFIRMED')));
      await path.drain();
      await path.consume(path.consumer());
      expect(await letters()).toMatchObject([{ code: 'SQLSTATE_23514', status: 'DEAD' }]);
      expect(await nights()).toEqual([]);
    });
  });

  it('parks a key whose version is missing, from the gap on, and lets other keys go on', async () => {
    const key = inSlot(0);
    foreign(envelope({ aggregateId: key, keySeq: 1 }));
    foreign(envelope({ aggregateId: key, keySeq: 3 }));
    foreign(envelope({ aggregateId: key, keySeq: 4 }));
    foreign(envelope());
    await path.consume(path.consumer());
    expect(await letters()).toMatchObject([
      { code: 'KEY_GAP', status: 'PARKED', key_seq: 3 },
      { code: 'KEY_PARKED', status: 'PARKED', key_seq: 4 },
    ]);
    expect([await offset(), await path.count('event_inbox')]).toEqual([4, 2]);
    // The one that was missing still finds its place, and the parked ones theirs behind it, in the dead letters.
    foreign(envelope({ aggregateId: key, keySeq: 2 }));
    foreign(envelope({ aggregateId: key, keySeq: 5 }));
    await path.consume(path.consumer());
    expect((await letters()).map(({ key_seq }) => key_seq)).toEqual([3, 4, 5]);
    expect([await offset(), await path.count('event_inbox')]).toEqual([6, 3]);
  });

  it('dead-letters what is no event of ours, with a code, and never stops at it', async () => {
    const key = newId();
    foreign(null, { value: null });
    foreign(null, { value: Buffer.from('{"cut": ') });
    foreign(['no object']);
    foreign({ ...envelope(), tenantId: 'DROP TABLE' });
    foreign({ ...envelope(), keySeq: 0 });
    foreign({ ...envelope(), occurredAt: '2027-02-30T10:00:00Z' });
    foreign(envelope({ type: 'spaceship.landed', aggregateType: 'spaceship' as never }));
    foreign(envelope({ aggregateId: key, version: 2 }));
    foreign(envelope({ data: { status: 'CONFIRMED' } }));
    foreign(envelope(), { headers: { ce_tenantid: newId() } });
    foreign(envelope(), { key: 'nul\0key' });
    foreign(envelope({ aggregateId: key, keySeq: 2 }));
    foreign(envelope({ data: { text: 'x'.repeat(900_000), ...reservationData(stay('CONFIRMED')) } }));
    await path.consume(path.consumer());
    const mine = path.house.tenantId;
    expect((await letters()).map(({ code, tenant }) => [code, tenant])).toEqual([
      ['NOT_JSON', PLATFORM_TENANT_ID],
      ['NOT_JSON', PLATFORM_TENANT_ID],
      ['INVALID_ENVELOPE', PLATFORM_TENANT_ID],
      ['INVALID_ENVELOPE', PLATFORM_TENANT_ID],
      ['INVALID_ENVELOPE', PLATFORM_TENANT_ID],
      ['INVALID_ENVELOPE', PLATFORM_TENANT_ID],
      ['UNKNOWN_EVENT_TYPE', mine],
      ['UNKNOWN_EVENT_VERSION', mine],
      ['INVALID_EVENT_DATA', mine],
      ['TENANT_MISMATCH', PLATFORM_TENANT_ID],
      ['KEY_MISMATCH', PLATFORM_TENANT_ID],
      ['KEY_PARKED', mine],
    ]);
    expect([await offset(), await path.count('event_inbox')]).toEqual([13, 1]);
    const [cut] = await path.rows<{ record_value: Buffer }>(
      `SELECT record_value FROM dead_letters WHERE log_offset = 1`,
    );
    expect(cut!.record_value.toString()).toBe('{"cut": ');
  });

  describe('when a partition changes hands', () => {
    beforeEach(async () => {
      await path.reserve(inSlot(0), 1, reservationData(stay('CONFIRMED')));
      await path.drain();
    });

    it('lets the old owner write nothing, though it still holds the batch', async () => {
      const [old, present] = [path.consumer({ owner: 'old' }), path.consumer({ owner: 'present' })];
      await old.assigned(TOPIC, 0);
      await present.assigned(TOPIC, 0);
      await expect(old.batch(path.batchOf(0))).rejects.toBeInstanceOf(FencedError);
      expect([await offset(), await path.count('event_inbox')]).toEqual([0, 0]);
      expect(await present.batch(path.batchOf(0))).toBe(1n);
      expect(await path.count('event_inbox')).toBe(1);
    });

    it('takes the partition again when the log still gives it batches, and repeats nothing', async () => {
      const [old, passing] = [path.consumer({ owner: 'old' }), path.consumer({ owner: 'passing' })];
      await old.assigned(TOPIC, 0);
      await passing.assigned(TOPIC, 0);
      expect(await passing.batch(path.batchOf(0))).toBe(1n);
      await expect(old.batch(path.batchOf(0))).rejects.toBeInstanceOf(FencedError);
      expect(await old.batch(path.batchOf(0))).toBe(1n);
      await path.reserve(inSlot(0), 1, reservationData(stay('CONFIRMED')));
      await path.drain();
      expect(await old.batch(path.batchOf(0, 1n))).toBe(2n);
      expect(await path.count('event_inbox')).toBe(2);
    });

    it('goes on from its own commit when only the answer to it was lost', async () => {
      const consumer = path.consumer();
      await consumer.assigned(TOPIC, 0);
      const batch = path.batchOf(0);
      await path.rows(`UPDATE reservation_event_offsets SET next_offset = 1`);
      expect(await consumer.batch(batch)).toBe(1n);
      expect(consumer.partitions(TOPIC)).toEqual([0]);
    });

    it('stops in the midst of a batch that was taken away', async () => {
      const consumer = path.consumer();
      await consumer.assigned(TOPIC, 0);
      await expect(consumer.batch({ ...path.batchOf(0), isLive: () => false })).rejects.toBeInstanceOf(
        FencedError,
      );
      expect(await path.count('event_inbox')).toBe(0);
    });
  });

  it('skips records below its offset, but reads a log that was made anew from its beginning', async () => {
    const consumer = path.consumer();
    await path.reserve(inSlot(0), 1, reservationData(stay('CONFIRMED')));
    await path.reserve(inSlot(0), 1, reservationData(stay('CONFIRMED')));
    await path.drain();
    await path.consume(consumer);
    const duplicates = await valueOf(metrics.duplicates);
    expect(await consumer.batch(path.batchOf(0))).toBe(2n);
    expect(await valueOf(metrics.duplicates)).toBe(duplicates);
    const event = envelope();
    const record = { partition: 0, offset: 0n, key: event.aggregateId, timestamp: 0 };
    const headers = { ce_tenantid: event.tenantId };
    const anew = { ...record, headers, value: Buffer.from(JSON.stringify(event)) };
    expect(await consumer.batch(path.batch([anew]))).toBe(1n);
    expect([await path.count('event_inbox'), await offset()]).toEqual([3, 1]);
  });

  it('publishes dead letters with the original event, at least once, though the log was down or its answer lost', async () => {
    const consumer = path.consumer({ projectors: [meddler] });
    const log = new ForgetfulLog({ store: path.store });
    const publisher = new DeadLetterPublisher(
      new DeadLetterStore(path.work, GROUP, TOPIC),
      log,
      () => consumer.partitions(TOPIC),
      { dlqTopic: DLQ, intervalMs: 20 },
      path.reports,
    );
    meddler.meddle = () => {
      throw new RangeError('no such night');
    };
    const event = envelope();
    foreign(event);
    foreign(null, { value: Buffer.from('garbage') });
    await path.consume(consumer);
    path.store.down = true;
    await expect(publisher.loop.runOnce()).rejects.toBeInstanceOf(LogUnavailableError);
    path.store.down = false;
    await expect(publisher.loop.runOnce()).rejects.toBeInstanceOf(LogUnavailableError);
    log.forgets = false;
    for (let run = 0; run < 2; run++) await publisher.loop.runOnce();
    const all = path.store
      .records(DLQ)
      .map(({ value }) => JSON.parse(value!.toString()) as Record<string, unknown>);
    const published = all.slice(0, 2);
    expect(all).toEqual([...published, ...published]);
    expect(published).toHaveLength(2);
    expect(published[0]).toMatchObject({
      ...event,
      status: 'DEAD',
      retryCount: 3,
      attemptedAt: expect.stringMatching(/Z$/),
      failureCode: 'PROJECTION_FAILED',
      failureCause: 'RangeError: no such night',
      source: { topic: TOPIC, partition: 0, offset: '0' },
    });
    expect(published[1]).toMatchObject({
      originalBase64: Buffer.from('garbage').toString('base64'),
      retryCount: 0,
    });
    expect(path.store.records(DLQ)[0]!.headers['ce_tenantid']).toBe(path.house.tenantId);
  });
});
