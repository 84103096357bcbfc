import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FlowAuditor, type AuditorOptions } from '../../src/modules/lifecycle/auditor/flow-auditor.js';
import { parkKeys } from '../../src/modules/outbox/contract/queue-control.js';
import type { EventLog } from '../../src/platform/event-log/event-log.js';
import { newId } from '../../src/platform/kernel/ids.js';
import { metrics } from '../../src/platform/observability/metrics.js';
import {
  GROUP,
  inversions,
  ReliablePath,
  reservationData,
  type Stay,
  TOPIC,
} from '../support/reliable-path.js';

interface Alert {
  readonly code: string;
  readonly state: string;
  readonly count: number;
}

interface StallRow {
  readonly state: string;
  readonly tries: number;
  readonly act: string | null;
  readonly exhausted: boolean;
}

describe('the flow auditor', () => {
  let path: ReliablePath;
  let alerts: Alert[];

  beforeEach(async () => {
    path = await ReliablePath.open();
    alerts = [];
  });
  afterEach(() => path.close());

  /** One that finds everything stalled at once. */
  const auditor = (options: Partial<AuditorOptions> = {}, log: EventLog = path.log()): FlowAuditor =>
    new FlowAuditor(
      path.work,
      log,
      {
        ...{ group: GROUP, topic: TOPIC, persistedStallMs: 0, publishedStallMs: 0, maxResumes: 3 },
        ...options,
      },
      {
        warn: path.reports.warn,
        error: (line) => void alerts.push(line as Alert),
      },
    );
  const look = async (by: FlowAuditor, times = 1): Promise<void> => {
    for (let i = 0; i < times; i++) while (await by.loop.runOnce());
  };
  const stalls = (): Promise<StallRow[]> =>
    path.rows<StallRow>(
      `SELECT state, tries, last_act AS act, exhausted_at IS NOT NULL AS exhausted FROM lifecycle_stalls ORDER BY since, key_seq`,
    );
  const stay = (): Stay => ({
    propertyId: path.house.propertyId,
    status: 'CONFIRMED',
    arrival: '2027-03-01',
    nightlyMinor: [100],
  });
  /** A reservation with its first event, and changes of nothing up to `versions`. */
  async function reserve(versions = 1, id = newId()): Promise<string> {
    await path.reserve(id, 1, reservationData(stay()), 'reservation.created');
    for (let version = 2; version <= versions; version++)
      await path.reserve(id, version, reservationData(stay(), stay()));
    return id;
  }
  const booked = (): Promise<{ booked_rooms: number }[]> =>
    path.rows(`SELECT booked_rooms FROM occupancy_nights`);
  const applied = (): Promise<number> => path.count('event_inbox');
  const republished = async (): Promise<number> =>
    (await path.rows<{ n: number }>(`SELECT coalesce(sum(republished), 0)::int AS n FROM event_receipts`))[0]!
      .n;
  const told = (): string[] => alerts.map(({ code, state, count }) => `${code} ${state} ${count}`);

  describe('of what the relay does not publish', () => {
    it('remembers it, tells it once, resumes it to the last try, tells that once, and forgets it when it moves', async () => {
      await reserve();
      const by = auditor();
      const before = (await metrics.resumed.get()).values.find(({ labels }) => labels.state === 'PERSISTED');
      await look(by);
      expect(await stalls()).toEqual([{ state: 'PERSISTED', tries: 1, act: 'WAKE', exhausted: false }]);
      await look(by, 2);
      expect(await stalls()).toMatchObject([{ tries: 3, exhausted: false }]);
      await look(by, 3);
      expect(await stalls()).toEqual([{ state: 'PERSISTED', tries: 3, act: 'WAKE', exhausted: true }]);
      expect(told()).toEqual(['LIFECYCLE_STALLED PERSISTED 1', 'LIFECYCLE_RESUMES_EXHAUSTED PERSISTED 1']);
      const after = (await metrics.resumed.get()).values.find(({ labels }) => labels.state === 'PERSISTED');
      expect(after!.value - (before?.value ?? 0)).toBe(3);
      await path.drain();
      await look(by);
      expect((await stalls()).map(({ state }) => state)).toEqual(['PUBLISHED']);
      await path.consume(path.consumer());
      await look(by);
      expect(await stalls()).toEqual([]);
    });

    it('leaves alone what is younger than the time that it has', async () => {
      await reserve();
      await look(auditor({ persistedStallMs: 60_000 }));
      expect(await stalls()).toEqual([]);
      await path.drain();
      await look(auditor({ persistedStallMs: 60_000, publishedStallMs: 60_000 }));
      expect(await stalls()).toEqual([]);
    });

    it('shows the relay what a low-water mark hid from it', async () => {
      await reserve();
      await path.rows(`UPDATE outbox_slots SET low_water = 1000000`);
      await path.drain();
      expect(await path.count('event_receipts')).toBe(0);
      await look(auditor());
      await path.drain();
      expect(await path.count('event_receipts')).toBe(1);
    });

    it('takes off the shelf what nothing blocks', async () => {
      await reserve();
      await path.rows(`UPDATE outbox_queue SET priority = priority + 10`);
      await path.drain();
      expect(await path.count('event_receipts')).toBe(0);
      await look(auditor());
      await path.drain();
      expect(await path.count('event_receipts')).toBe(1);
    });

    it('tells of keys that are parked by hand or given up, and leaves them so', async () => {
      const [parked, dead] = [await reserve(), await reserve()];
      const key = { tenantId: path.house.tenantId, aggregateId: parked };
      await path.work.run('test.park', (tx) => parkKeys(tx, [key], 'by hand'));
      await path.rows(
        `INSERT INTO outbox_blocked_keys (tenant_id, aggregate_id, key_seq, status, attempts, cause) VALUES ($1, $2, 1, 'DLQ', 4, 'x')`,
        [path.house.tenantId, dead],
      );
      const by = auditor();
      await look(by, 5);
      const rows = await stalls();
      expect(rows.map(({ state }) => state).sort()).toEqual(['DLQ', 'PARKED']);
      expect(rows.map(({ tries, act, exhausted }) => [tries, act, exhausted])).toEqual([
        [0, null, false],
        [0, null, false],
      ]);
      expect(told().sort()).toEqual(['LIFECYCLE_STALLED DLQ 1', 'LIFECYCLE_STALLED PARKED 1']);
      expect(await path.count('outbox_blocked_keys')).toBe(2);
    });

    it('looks at every tenant in turn, however many wait', async () => {
      await path.rows(
        `INSERT INTO outbox_queue (slot, priority, tenant_id, aggregate_id, key_seq, occurred_at)
         SELECT 3, 0, md5(n::text)::uuid, md5('k' || n)::uuid, 1, now() - interval '1 hour' FROM generate_series(1, 150) n`,
      );
      const by = auditor();
      const counts: number[] = [];
      for (let i = 0; i < 3; i++) {
        await look(by);
        counts.push(await path.count('lifecycle_stalls'));
      }
      expect(counts).toEqual([64, 128, 150]);
    });
  });

  describe('of what the log has lost', () => {
    it('publishes it again, and it is applied exactly once', async () => {
      const id = await reserve();
      await path.drain();
      const [receipt] = await path.rows<{ published_at: Date; partition: number }>(
        `SELECT published_at, partition FROM event_receipts`,
      );
      path.store.lose(TOPIC, receipt!.partition, 0n);
      const by = auditor();
      await look(by);
      expect(await stalls()).toEqual([
        { state: 'PUBLISHED', tries: 1, act: 'PUBLISH_AGAIN', exhausted: false },
      ]);
      await path.drain();
      await path.consume(path.consumer());
      await look(by);
      expect([await applied(), await booked(), await stalls()]).toEqual([1, [{ booked_rooms: 1 }], []]);
      const [after] = await path.rows(
        `SELECT published_at, partition, republished, requeued_at FROM event_receipts`,
      );
      expect(after).toEqual({ ...receipt, republished: 1, requeued_at: null });
      expect(path.events().map(({ aggregateId }) => aggregateId)).toEqual([id]);
      const acts = await path.rows(
        `SELECT actor, action, resource_id, changes FROM audit_log WHERE action = 'lifecycle.resumed'`,
      );
      expect(acts).toEqual([
        {
          actor: 'system:lifecycle-auditor',
          action: 'lifecycle.resumed',
          resource_id: id,
          changes: { act: 'PUBLISH_AGAIN', keySeq: 1, state: 'PUBLISHED', try: 1 },
        },
      ]);
    });

    it('publishes all that was lost of a log made anew, each key in its order', async () => {
      const ids = [await reserve(3), await reserve(2), await reserve(4)];
      const consumer = path.consumer();
      await path.drain();
      await path.consume(consumer);
      // Applied already: nothing of these is sent again.
      const more = [await reserve(2), await reserve(3)];
      await path.drain();
      for (let partition = 0; partition < 8; partition++) path.store.lose(TOPIC, partition, 0n);
      const by = auditor();
      await look(by);
      await path.drain();
      expect([path.events().length, inversions(path.events())]).toEqual([5, []]);
      // A new log that is as long as the offset that was applied of the old one looks as if it had been read: what is passed
      // over then is found by the next look.
      for (let round = 0; round < 3; round++) {
        for (const partition of new Set(path.store.records(TOPIC).map((record) => record.partition))) {
          await consumer.assigned(TOPIC, partition);
          await consumer.batch(path.batchOf(partition));
        }
        await look(by);
        await path.drain();
      }
      // Where the new log's first read begins in the midst of a key, what was read too early is parked until the rest has come.
      await path.settle(consumer);
      expect([await applied(), await stalls(), ids.length + more.length]).toEqual([14, [], 5]);
      expect(await booked()).toEqual([{ booked_rooms: 5 }]);
    });

    it('finds what the consumer has passed without applying it, and takes what stands behind it along', async () => {
      await reserve(2);
      await path.drain();
      const [{ partition }] = (await path.rows<{ partition: number }>(
        `SELECT DISTINCT partition FROM event_receipts`,
      )) as [{ partition: number }];
      await path.rows(
        `INSERT INTO reservation_event_offsets (consumer_group, topic, partition, next_offset, committed_at) VALUES ($1, $2, $3, 1, now())`,
        [GROUP, TOPIC, partition],
      );
      const by = auditor();
      await look(by);
      expect(await republished()).toBe(2);
      await path.drain();
      expect(path.events().map(({ keySeq }) => keySeq)).toEqual([1, 2, 1, 2]);
    });

    it('gives up after as many tries as it has, when the log loses it each time', async () => {
      await reserve();
      const by = auditor({ maxResumes: 2 });
      for (let i = 0; i < 6; i++) {
        await path.drain();
        for (let partition = 0; partition < 8; partition++) path.store.lose(TOPIC, partition, 0n);
        await look(by);
      }
      expect([await republished(), await stalls()]).toEqual([
        2,
        [{ state: 'PUBLISHED', tries: 2, act: 'PUBLISH_AGAIN', exhausted: true }],
      ]);
      expect(told()).toEqual(['LIFECYCLE_STALLED PUBLISHED 1', 'LIFECYCLE_RESUMES_EXHAUSTED PUBLISHED 1']);
    });

    it('says nothing of the log while that does not answer', async () => {
      await reserve();
      await path.drain();
      for (let partition = 0; partition < 8; partition++) path.store.lose(TOPIC, partition, 0n);
      path.store.down = true;
      await look(auditor());
      expect([await republished(), await stalls()]).toEqual([0, []]);
      path.store.down = false;
      await look(auditor());
      expect(await republished()).toBe(1);
    });

    it('is done by one of two auditors that look at once', async () => {
      for (let i = 0; i < 20; i++) await reserve();
      await path.drain();
      for (let partition = 0; partition < 8; partition++) path.store.lose(TOPIC, partition, 0n);
      const both = [auditor(), auditor()];
      await Promise.all(both.map((by) => look(by)));
      expect([await republished(), told()]).toEqual([20, ['LIFECYCLE_STALLED PUBLISHED 20']]);
      await path.drain();
      await path.consume(path.consumer());
      await Promise.all(both.map((by) => look(by)));
      expect([await applied(), await stalls(), await republished()]).toEqual([20, [], 20]);
    });
  });

  describe('of a slow but healthy consumer', () => {
    it('publishes nothing again while its offset is before the record, however often it looks', async () => {
      const [first] = [await reserve(2), await reserve(3)];
      await path.drain();
      const by = auditor();
      await look(by, 5);
      expect([await republished(), path.events().length]).toEqual([0, 5]);
      // The first of each partition that waits is told of.
      const waiting = await stalls();
      expect(waiting.length).toBeGreaterThan(0);
      expect(waiting.map(({ state, tries, act }) => [state, tries, act])).toEqual(
        waiting.map(() => ['PUBLISHED', 0, null]),
      );
      await path.consume(path.consumer());
      await look(by);
      expect([await stalls(), await republished(), typeof first]).toEqual([[], 0, 'string']);
    });

    it('goes on with its look where the consumer was, and finds what is lost behind', async () => {
      const id = await reserve();
      await path.drain();
      const by = auditor();
      await look(by);
      const consumer = path.consumer();
      await path.consume(consumer);
      await path.reserve(id, 2, reservationData(stay(), stay()));
      await path.drain();
      const [{ partition }] = (await path.rows<{ partition: number }>(
        `SELECT DISTINCT partition FROM event_receipts`,
      )) as [{ partition: number }];
      path.store.lose(TOPIC, partition, 1n);
      await look(by);
      await path.drain();
      await path.consume(consumer);
      await look(by);
      expect([await applied(), await republished(), await stalls()]).toEqual([2, 1, []]);
    });
  });

  it('sends a parked dead letter off that nothing stands before', async () => {
    const id = await reserve(2);
    await path.drain();
    const consumer = path.consumer();
    const [{ partition }] = (await path.rows<{ partition: number }>(
      `SELECT DISTINCT partition FROM event_receipts`,
    )) as [{ partition: number }];
    await consumer.assigned(TOPIC, partition);
    await consumer.batch(path.batchOf(partition, 1n));
    expect(await path.rows(`SELECT status, failure_code FROM dead_letters`)).toEqual([
      { status: 'PARKED', failure_code: 'KEY_GAP' },
    ]);
    // The version before it is not in the log any more; it is published again, and applied.
    const by = auditor();
    await look(by);
    await path.drain();
    await path.consume(consumer);
    expect(await path.rows(`SELECT applied_seq FROM event_key_marks WHERE aggregate_id = $1`, [id])).toEqual([
      { applied_seq: 1 },
    ]);
    await look(by);
    expect(await path.rows(`SELECT status FROM dead_letters`)).toEqual([{ status: 'REPLAYING' }]);
    await look(by);
    expect(await stalls()).toEqual([]);
  });
});
