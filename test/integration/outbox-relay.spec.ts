import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { appendChanges } from '../../src/modules/outbox/contract/append-changes.js';
import { slotOf } from '../../src/modules/outbox/contract/events.js';
import { LeaseStore } from '../../src/modules/outbox/persistence/lease-store.js';
import { FIRST_TENANT } from '../../src/modules/outbox/contract/queue-heads.js';
import { QueueStore, type QueueRange } from '../../src/modules/outbox/persistence/queue-store.js';
import { Lane } from '../../src/modules/outbox/relay/lane.js';
import { Leases } from '../../src/modules/outbox/relay/leases.js';
import type { OutboxRelay } from '../../src/modules/outbox/relay/outbox-relay.js';
import { Sender } from '../../src/modules/outbox/relay/sender.js';
import { commitListener, CommitNotifier } from '../../src/modules/outbox/wake-up/commit-signal.js';
import {
  LogUnavailableError,
  RecordRefusedError,
  type LogPosition,
  type LogRecord,
} from '../../src/platform/event-log/event-log.js';
import { MemoryEventLog } from '../../src/platform/event-log/memory/memory-event-log.js';
import { ChannelListener } from '../../src/platform/database/channel-listener.js';
import { ChannelNotifier } from '../../src/platform/database/channel-notifier.js';
import { newId } from '../../src/platform/kernel/ids.js';
import { withClient } from '../support/fixtures.js';
import { Happenings } from '../support/recording-handler.js';
import { inversions, ReliablePath, TOPIC } from '../support/reliable-path.js';

/** A log between whose write and whose answer something happens. */
class InterruptedLog extends MemoryEventLog {
  afterWrite: () => Promise<void> = async () => undefined;

  override async append(topic: string, records: readonly LogRecord[]): Promise<LogPosition[]> {
    const positions = await super.append(topic, records);
    await this.afterWrite();
    return positions;
  }
}

/** A log that never takes the records of some keys. */
class PickyLog extends MemoryEventLog {
  readonly refuses = new Set<string>();
  readonly asked: string[][] = [];

  override async append(topic: string, records: readonly LogRecord[]): Promise<LogPosition[]> {
    this.asked.push(records.map(({ key }) => key));
    if (records.some(({ key }) => this.refuses.has(key))) throw new RecordRefusedError('too large');
    return super.append(topic, records);
  }
}

const head = (slot: number, priority = 0): QueueRange => ({ slot, priority, from: FIRST_TENANT, limit: 10 });
const inSlot = (slot: number): string => newId().slice(0, -1) + slot.toString(16);

describe('the outbox relay', () => {
  let path: ReliablePath;
  const ids = (count: number): string[] => Array.from({ length: count }, () => newId());

  beforeEach(async () => {
    path = await ReliablePath.open();
  });
  afterEach(() => path.close());

  /** Resolves when the log holds `count` different events. */
  async function inLog(count: number): Promise<void> {
    const happenings = new Happenings();
    const stop = path.store.listen(TOPIC, () => happenings.happened());
    await happenings.until(
      `${count} events in the log`,
      () => new Set(path.events().map(({ eventId }) => eventId)).size >= count,
    );
    stop();
  }

  async function holds(relay: OutboxRelay, count: number): Promise<void> {
    while (relay.status().slots.length !== count) await relay.leaseLoop.nextRun();
  }

  it('keeps every key in order under 16 writers and two relays, and loses nothing', async () => {
    const keys = ids(12);
    await path.addGuests(keys);
    const relays = [path.relay(), path.relay()];
    for (const relay of relays) relay.start();
    await Promise.all(
      Array.from({ length: 16 }, async (_, writer) => {
        for (let i = 0; i < 20; i++) await path.bump([keys[(writer + i) % keys.length]!]);
      }),
    );
    await inLog(320);
    expect(inversions(path.events())).toEqual([]);
    const published = relays.map((relay) =>
      relay.laneLoops.reduce((runs, loop) => runs + loop.status().runs, 0),
    );
    expect(Math.min(...published)).toBeGreaterThan(0);
  });

  it('sends an event whose transaction took its number early and committed late', async () => {
    const [early, late] = [inSlot(6), inSlot(6)];
    const relay = path.relay();
    const { ctx } = path;
    await path.uow.run(ctx, 'test.early', async (tx) => {
      const change = {
        aggregateType: 'guest',
        version: 1,
        type: 'guest.created',
        data: {},
        changes: {},
      } as const;
      await appendChanges(tx, ctx, [{ ...change, aggregateId: early }]);
      await path.reserve(late, 1, {});
      await path.drain(relay);
      expect(path.events().map(({ aggregateId }) => aggregateId)).toEqual([late]);
    });
    await path.drain(relay);
    expect(path.events().map(({ aggregateId }) => aggregateId)).toEqual([late, early]);
  });

  it('writes CloudEvents whose value, key and headers agree', async () => {
    const id = inSlot(11);
    await path.reserve(id, 1, { text: 'naïve “data”' }, 'reservation.created');
    await path.drain(path.relay());
    const [record] = path.store.records(TOPIC);
    const [event] = path.events();
    expect(record).toMatchObject({ partition: 11 % 8, key: id });
    expect(event).toMatchObject({
      aggregateId: id,
      keySeq: 1,
      data: { text: 'naïve “data”' },
      tenantId: path.house.tenantId,
    });
    expect(event!.occurredAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    expect(record!.headers).toMatchObject({
      ce_id: event!.eventId,
      ce_type: 'reservation.created',
      ce_source: 'tartware',
      ce_specversion: '1.0',
      ce_time: event!.occurredAt,
      ce_tenantid: path.house.tenantId,
      traceparent: expect.stringMatching(/^00-/),
      'content-type': 'application/json',
    });
    const [receipt] = await path.rows<{ partition: number; log_offset: number }>(
      `SELECT * FROM event_receipts`,
    );
    expect(receipt).toMatchObject({ partition: 3, log_offset: 0 });
    expect(slotOf(id)).toBe(11);
  });

  it('shares the slots fairly, gives surplus up to a newcomer and everything to those who stay', async () => {
    const [first, second, third] = [path.relay(), path.relay(), path.relay()];
    first.start();
    await holds(first, 16);
    second.start();
    await Promise.all([holds(first, 8), holds(second, 8)]);
    third.start();
    await holds(third, 4);
    expect([first, second].map((relay) => relay.status().slots.length).sort()).toEqual([6, 6]);
    await first.stop();
    await second.stop();
    await holds(third, 16);
    expect(await path.count('outbox_relays')).toBe(1);
  });

  it('delivers the unacknowledged events of a killed relay again, by its successor, after its lease', async () => {
    // One slot, so one lane: what was written is known once its run has failed.
    await path.reserve(inSlot(0), 1, {});
    await path.reserve(inSlot(0), 1, {});
    const log = new InterruptedLog({ store: path.store });
    log.afterWrite = () => Promise.reject(new LogUnavailableError('the answer was lost'));
    const killed = path.relay(log, { leaseMs: 500 });
    await expect(killed.runOnce()).rejects.toThrow('the answer was lost');
    await killed.abandon();
    expect([path.events().length > 0, await path.count('outbox_queue')]).toEqual([true, 2]);
    const written = path.events().length;
    const successor = path.relay(path.log(), { leaseMs: 500 });
    successor.start();
    await holds(successor, 16);
    await inLog(2);
    while ((await path.count('outbox_queue')) > 0) await successor.laneLoops[0]!.nextRun();
    expect(path.events()).toHaveLength(written + 2);
    expect(await path.count('event_receipts')).toBe(2);
  });

  it('acknowledges nothing of a slot that went to another relay meanwhile', async () => {
    await path.reserve(inSlot(0), 1, {});
    const log = new InterruptedLog({ store: path.store });
    const stale = path.relay(log);
    const next = path.relay();
    log.afterWrite = async () => {
      await path.rows(`UPDATE outbox_slots SET lease_until = '-infinity'`);
      await path.rows(`DELETE FROM outbox_relays`);
      await next.leaseLoop.runOnce();
    };
    await stale.runOnce();
    expect([await path.count('outbox_queue'), await path.count('event_receipts')]).toEqual([1, 0]);
    expect(stale.status().slots).not.toContain(0);
    await path.drain(next);
    expect([await path.count('outbox_queue'), path.events().length]).toEqual([0, 2]);
  });

  it('does not take an old epoch for the present one, though the owner is the same', async () => {
    await path.reserve(inSlot(5), 1, {});
    const leases = new LeaseStore(path.work);
    const queue = new QueueStore(path.work);
    const { held } = await leases.renew('me', 10_000, () => 16);
    const [event] = (await queue.claim([head(5)])).events;
    const mine = held.find(({ slot }) => slot === 5)!;
    const sent = [{ event: event!, partition: 0, offset: 0n }];
    expect(await queue.acknowledge('me', [{ ...mine, epoch: mine.epoch - 1 }], sent, [])).toEqual(new Set());
    expect(await path.count('outbox_queue')).toBe(1);
    expect(await queue.acknowledge('me', [mine], sent, [])).toEqual(new Set([5]));
    expect(await path.count('outbox_queue')).toBe(0);
  });

  it('raises the epoch at every change of owner, and only then', async () => {
    const leases = new LeaseStore(path.work);
    const epochs = async (owner: string): Promise<number[]> =>
      (await leases.renew(owner, 10_000, () => 16)).held.map(({ epoch }) => epoch);
    expect(new Set(await epochs('a'))).toEqual(new Set([1]));
    expect(new Set(await epochs('a'))).toEqual(new Set([1]));
    await path.rows(`UPDATE outbox_slots SET lease_until = '-infinity'`);
    // Nobody took them meanwhile: what has run out is still a's.
    expect(new Set(await epochs('a'))).toEqual(new Set([1]));
    expect(await epochs('b')).toEqual([]);
    await path.rows(`UPDATE outbox_slots SET lease_until = '-infinity'`);
    expect(new Set(await epochs('b'))).toEqual(new Set([2]));
  });

  it('sends nothing once its lease has run out by its own clock, even with the events in hand', async () => {
    await path.reserve(inSlot(2), 1, {});
    let now = 0;
    const leases = new Leases(new LeaseStore(path.work), 'paused', 10_000, () => now);
    class PausedQueue extends QueueStore {
      override async claim(ranges: readonly QueueRange[]): ReturnType<QueueStore['claim']> {
        const claimed = await super.claim(ranges);
        expect(claimed.events).toHaveLength(1);
        now += 10_000;
        return claimed;
      }
    }
    const lane = new Lane(0, {
      leases,
      queue: new PausedQueue(path.work),
      sender: new Sender(path.log(), TOPIC),
      partitions: async () => 8,
      batchSize: 10,
      retryScheduleMs: [],
      leasesChanged: () => undefined,
      log: path.reports,
    });
    await leases.renew();
    expect(await lane.step()).toBe(false);
    expect(leases.holding()).toEqual([]);
    expect(path.events()).toEqual([]);
    expect(await path.count('outbox_queue')).toBe(1);
  });

  it('loses nothing while the log is down, and burns no attempt', async () => {
    await path.reserve(newId(), 1, {});
    const relay = path.relay();
    path.store.down = true;
    relay.start();
    for (let run = 0; run < 3; run++) await Promise.all(relay.laneLoops.map((loop) => loop.nextRun()));
    expect(relay.laneLoops.some((loop) => loop.status().failures > 0)).toBe(true);
    expect([await path.count('outbox_queue'), await path.count('outbox_blocked_keys')]).toEqual([1, 0]);
    path.store.down = false;
    await inLog(1);
    expect(inversions(path.events())).toEqual([]);
  });

  describe('when the log refuses a record', () => {
    const blocks = (): Promise<object[]> =>
      path.rows(`SELECT key_seq, status, attempts, next_attempt_at IS NULL AS last FROM outbox_blocked_keys`);

    it('lets everything else through in order and holds the later events of that key back', async () => {
      const log = new PickyLog({ store: path.store });
      // All in one slot, so that the refusal concerns the batch of all.
      const [bad, ...good] = Array.from({ length: 6 }, () => inSlot(4));
      log.refuses.add(bad!);
      for (const version of [1, 2])
        for (const id of [good[0]!, good[1]!, bad!, good[2]!, good[3]!, good[4]!])
          await path.reserve(id, version, {});
      const relay = path.relay(log, { retryScheduleMs: [60_000] });
      await path.drain(relay);
      expect(path.events().map(({ aggregateId }) => aggregateId)).not.toContain(bad);
      expect(inversions(path.events())).toEqual([]);
      expect(path.events()).toHaveLength(10);
      expect(await path.count('outbox_queue')).toBe(2);
      expect(await blocks()).toEqual([{ key_seq: 1, status: 'FAILED', attempts: 1, last: false }]);
      // Not due for a minute: nobody asks again.
      const asked = log.asked.length;
      await path.reserve(good[0]!, 3, {});
      await path.drain(relay);
      expect(log.asked.slice(asked)).toEqual([[good[0]]]);
    });

    it('tries the key again when due, by itself, and ends the block when it succeeds', async () => {
      const log = new PickyLog({ store: path.store });
      const [bad, good] = [inSlot(4), inSlot(4)];
      log.refuses.add(bad);
      await path.reserve(bad, 1, {});
      await path.reserve(bad, 2, {});
      await path.reserve(good, 1, {});
      const relay = path.relay(log, { retryScheduleMs: [0, 60_000] });
      await path.drain(relay);
      expect(await blocks()).toEqual([{ key_seq: 1, status: 'FAILED', attempts: 2, last: false }]);
      expect(log.asked.at(-1)).toEqual([bad]);
      log.refuses.clear();
      await path.rows(`UPDATE outbox_blocked_keys SET next_attempt_at = now()`);
      await path.drain(relay);
      expect(path.events().map(({ aggregateId, keySeq }) => [aggregateId, keySeq])).toEqual([
        [good, 1],
        [bad, 1],
        [bad, 2],
      ]);
      expect(await blocks()).toEqual([]);
    });

    it('gives up after the schedule, counting every try once, and leaves the key to an operator', async () => {
      const log = new PickyLog({ store: path.store });
      const bad = inSlot(4);
      log.refuses.add(bad);
      await path.reserve(bad, 1, {});
      const relay = path.relay(log, { retryScheduleMs: [0, 0] });
      await path.drain(relay);
      expect(log.asked).toEqual([[bad], [bad], [bad]]);
      expect(await blocks()).toEqual([{ key_seq: 1, status: 'DLQ', attempts: 3, last: true }]);
      await path.drain(relay);
      expect(log.asked).toHaveLength(3);
      expect(await path.count('outbox_queue')).toBe(1);
    });
  });

  it('is woken across processes by coalesced notifications, also after its connection dropped', async () => {
    const heard = new Happenings();
    let count = 0;
    const listener = commitListener(path.db.workerUrl, () => (count++, heard.happened()), path.reports);
    const notifier = new CommitNotifier(path.db.appUrl);
    notifier.start();
    const listening = listener.loop.nextRun();
    listener.start();
    await listening;
    // What was committed before it listened counts as heard.
    expect(count).toBe(1);
    await path.reserve(newId(), 1, {});
    await heard.until('a notification', () => count === 2);

    const again = listener.loop.nextRun();
    await withClient(path.db.superUrl, (client) =>
      client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name IN ('tartware-listen', 'tartware-notify')`),
    );
    expect((await again).error).toBeNull();
    const before = count;
    // The notifier's connection is gone as well: the first commits may go unheard, and polling is for those.
    while (count === before) await path.reserve(newId(), 1, {});
    await notifier.stop();
    await listener.stop();
  });

  it('sends one notification at once and one more for all that come while it is under way', async () => {
    const notifier = new ChannelNotifier(path.db.appUrl, 'tartware_test');
    const listener = new ChannelListener(
      path.db.workerUrl,
      { channel: 'tartware_test', name: 'test.listener' },
      () => (count++, heard.happened()),
      path.reports,
    );
    const heard = new Happenings();
    let count = 0;
    const listening = listener.loop.nextRun();
    listener.start();
    await listening;
    for (let i = 0; i < 100; i++) notifier.notify();
    await heard.until('two notifications, and what counts as one', () => count === 3);
    await notifier.stop();
    expect(notifier.sent).toBe(2);
    await listener.stop();
  });
});
