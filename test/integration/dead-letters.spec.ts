import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { requestReplay } from '../../src/modules/consumer/contract/dead-letters.js';
import type { Projector } from '../../src/modules/consumer/contract/projector.js';
import {
  DeadLetterOperations,
  type Intent,
} from '../../src/modules/consumer/operations/dead-letter-operations.js';
import type { LetterFilter } from '../../src/modules/consumer/persistence/letter-store.js';
import { type DueReplay, ReplayStore } from '../../src/modules/consumer/persistence/replay-store.js';
import type { EventProcessor } from '../../src/modules/consumer/processing/event-processor.js';
import type { EventEnvelope } from '../../src/modules/outbox/contract/events.js';
import type { BackgroundTx } from '../../src/platform/database/unit-of-work.js';
import { LogUnavailableError } from '../../src/platform/event-log/event-log.js';
import { newId } from '../../src/platform/kernel/ids.js';
import { metrics } from '../../src/platform/observability/metrics.js';
import { until } from '../support/http-client.js';
import { GROUP, reservationData, ReliablePath, type Stay, TOPIC } from '../support/reliable-path.js';

/** A projector that fails for the events that a test names, and writes down what it applied. */
class Picky implements Projector {
  readonly name = 'picky';
  readonly poison = new Set<string>();
  failure: () => Error = () => new TypeError('cannot read properties of undefined');

  async apply(_tx: BackgroundTx, events: readonly EventEnvelope[]): Promise<void> {
    if (events.some(({ aggregateId, keySeq }) => this.poison.has(`${aggregateId}/${keySeq}`)))
      throw this.failure();
  }
}

const inSlot = (slot: number): string => newId().slice(0, -1) + slot.toString(16);
const ALL: LetterFilter = { statuses: ['DEAD', 'PARKED', 'REPLAYING'], limit: 1_000 };

interface Letter {
  readonly id: string;
  readonly seq: number;
  readonly status: string;
  readonly code: string;
  readonly retries: number;
  readonly replays: number;
}

describe('dead letters in the hands of operators', () => {
  let path: ReliablePath;
  let picky: Picky;
  let consumer: EventProcessor;
  let operations: DeadLetterOperations;
  let intent: Intent;
  const stay = (status = 'CONFIRMED'): Stay => ({
    propertyId: path.house.propertyId,
    status,
    arrival: '2027-03-01',
    nightlyMinor: [100, 200],
  });
  const letters = (): Promise<Letter[]> =>
    path.rows(`SELECT dead_letter_id AS id, key_seq AS seq, status, failure_code AS code, retry_count AS retries,
      replay_count AS replays FROM dead_letters ORDER BY aggregate_id, key_seq, created_at`);
  const statuses = async (): Promise<[number, string][]> =>
    (await letters()).map(({ seq, status }) => [seq, status]);
  const mark = async (key: string): Promise<number> => {
    const [row] = await path.rows<{ seq: number }>(
      `SELECT applied_seq AS seq FROM event_key_marks WHERE aggregate_id = $1`,
      [key],
    );
    return row?.seq ?? 0;
  };
  /** Versions in the order in which they were applied. */
  const applied = async (key: string): Promise<number[]> =>
    (
      await path.rows<{ seq: number }>(
        `SELECT key_seq AS seq FROM event_inbox WHERE aggregate_id = $1 ORDER BY applied_at`,
        [key],
      )
    ).map(({ seq }) => seq);
  const audits = (action: string): Promise<{ resource_id: string; changes: Record<string, unknown> }[]> =>
    path.rows(`SELECT resource_id, changes FROM audit_log WHERE action = $1 ORDER BY occurred_at`, [action]);
  /** Versions `from` to `to` of a key, through the outbox into the log. */
  const publish = async (key: string, from: number, to: number): Promise<void> => {
    for (let seq = from; seq <= to; seq++) {
      const before = seq === 1 ? null : stay();
      await path.reserve(key, seq, reservationData(stay(), before));
    }
    await path.drain();
  };
  /** A key whose version 2 is dead and whose 3 and 4 wait behind it. */
  const parkedKey = async (): Promise<string> => {
    const key = inSlot(0);
    picky.poison.add(`${key}/2`);
    await publish(key, 1, 4);
    await path.consume(consumer);
    expect(await statuses()).toEqual([
      [2, 'DEAD'],
      [3, 'PARKED'],
      [4, 'PARKED'],
    ]);
    return key;
  };

  beforeEach(async () => {
    path = await ReliablePath.open();
    picky = new Picky();
    consumer = path.consumer({ projectors: [picky] });
    operations = new DeadLetterOperations(path.work);
    intent = { ctx: path.ctx, reason: 'mended', dryRun: false };
  });
  afterEach(() => path.close());

  it('that two operators move at once are moved by one of them; the other is told', async () => {
    const key = await parkedKey();
    const [dead] = await operations.list({ ...ALL, aggregateId: key, limit: 1 });
    const letter = { tenantId: dead!.tenantId, deadLetterId: dead!.deadLetterId };
    let skipping!: Promise<unknown>;
    await path.work.run('test.replay', async (tx) => {
      await requestReplay(tx, [letter]);
      skipping = operations.skip(intent, { ...ALL, deadLetterId: letter.deadLetterId });
      skipping.catch(() => undefined);
      // Until the skip waits for this transaction's row.
      await until('the skip waits', async () => {
        const [row] = await path.rows<{ n: number }>(
          `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        return row!.n > 0;
      });
    });
    await expect(skipping).rejects.toMatchObject({ code: 'DEAD_LETTER_MOVED' });
    expect((await statuses())[0]).toEqual([2, 'REPLAYING']);
    expect(await audits('dead_letter.skipped')).toEqual([]);
  });

  describe('a replay', () => {
    it('applies the dead event and those parked behind it, once each, in order, under their own ids', async () => {
      const key = await parkedKey();
      const before = (await metrics.replayed.get()).values[0]?.value ?? 0;
      picky.poison.clear();
      const sent = await operations.replay(intent, { ...ALL, code: 'PROJECTION_FAILED' });
      expect(sent.map(({ keySeq, status, replayCount }) => [keySeq, status, replayCount])).toEqual([
        [2, 'REPLAYING', 1],
        [3, 'REPLAYING', 1],
        [4, 'REPLAYING', 1],
      ]);
      await path.settle(consumer);
      expect([await applied(key), await mark(key), await statuses()]).toEqual([
        [1, 2, 3, 4],
        4,
        [
          [2, 'RESOLVED'],
          [3, 'RESOLVED'],
          [4, 'RESOLVED'],
        ],
      ]);
      expect((await metrics.replayed.get()).values[0]!.value).toBe(before + 3);
      const records = path.store.records(TOPIC);
      expect(records).toHaveLength(7);
      for (const again of records.slice(4)) {
        const event = JSON.parse(again.value!.toString()) as EventEnvelope;
        const first = path.events().find(({ eventId }) => eventId === event.eventId)!;
        expect(event).toEqual({ ...first, replay: 1 });
        expect(again).toMatchObject({ key, headers: { ce_id: event.eventId, ce_replay: '1' } });
        expect(again.headers['ce_correlationid']).toBe(`${event.correlationId};replay=1`);
      }
      expect((await audits('dead_letter.replay_requested')).map(({ changes }) => changes)).toEqual(
        Array(3).fill({ reason: 'mended', replay: 1 }),
      );
    });

    it('applies nothing twice, asked for twice, in flight or done, published twice, or with the whole topic again', async () => {
      const key = await parkedKey();
      picky.poison.clear();
      const asked = await letters();
      const ask = (): Promise<number> =>
        path.work.run('test.resume', (tx) =>
          requestReplay(
            tx,
            asked.map(({ id }) => ({ tenantId: path.house.tenantId, deadLetterId: id })),
          ),
        );
      const replays = path.replays(consumer);
      expect(await ask()).toBe(3);
      await replays.loop.runOnce();
      expect(await ask()).toBe(3);
      await replays.loop.runOnce();
      expect(path.store.records(TOPIC)).toHaveLength(10);
      await path.consume(consumer);
      expect(await ask()).toBe(0);
      path.store.write(TOPIC, path.store.records(TOPIC));
      await path.settle(consumer);
      expect([await applied(key), await path.count('event_inbox'), await path.count('dead_letters')]).toEqual(
        [[1, 2, 3, 4], 4, 3],
      );
    });

    it('that fails again is dead again, with its tries added up; those behind are parked again, until it succeeds', async () => {
      const key = await parkedKey();
      await operations.replay(intent, { ...ALL, aggregateId: key });
      await path.settle(consumer);
      expect(await letters()).toMatchObject([
        { seq: 2, status: 'DEAD', code: 'PROJECTION_FAILED', retries: 7, replays: 1 },
        { seq: 3, status: 'PARKED', code: 'KEY_PARKED', retries: 0, replays: 1 },
        { seq: 4, status: 'PARKED', code: 'KEY_PARKED', retries: 0, replays: 1 },
      ]);
      expect(await applied(key)).toEqual([1]);
      // The records of the first replay come again: they are past, whatever the letters' state.
      picky.poison.clear();
      path.store.write(TOPIC, path.store.records(TOPIC).slice(4));
      await path.consume(consumer);
      expect(await applied(key)).toEqual([1]);
      await operations.replay(intent, { ...ALL, aggregateId: key });
      await path.settle(consumer);
      expect([await applied(key), (await letters()).map(({ replays }) => replays)]).toEqual([
        [1, 2, 3, 4],
        [2, 2, 2],
      ]);
    });

    it('of a parked event begins with the dead one that it waits behind', async () => {
      const key = await parkedKey();
      picky.poison.clear();
      const last = (await letters())[2]!;
      const sent = await operations.replay(intent, { ...ALL, deadLetterId: last.id });
      expect(sent.map(({ keySeq }) => keySeq)).toEqual([2, 3, 4]);
      await path.settle(consumer);
      expect(await applied(key)).toEqual([1, 2, 3, 4]);
    });

    it('is not lost with the broker, the worker, or the record', async () => {
      const key = await parkedKey();
      picky.poison.clear();
      await operations.replay(intent, ALL);
      path.store.down = true;
      await expect(path.replays(consumer).loop.runOnce()).rejects.toBeInstanceOf(LogUnavailableError);
      path.store.down = false;
      await path.replays(consumer).loop.runOnce();
      // Nobody reads these: the log forgets them.
      path.store.truncate(TOPIC, 0, 7n);
      await path.consume(consumer);
      expect(await applied(key)).toEqual([1]);
      await path.replays(consumer).loop.runOnce();
      expect(path.store.records(TOPIC)).toHaveLength(0);
      await path.rows(`UPDATE dead_letters SET replay_published_at = now() - interval '61 seconds'`);
      await path.settle(consumer);
      expect([await applied(key), (await letters()).map(({ replays }) => replays)]).toEqual([
        [1, 2, 3, 4],
        [1, 1, 1],
      ]);
    });

    it('that the log refuses is dead again, and lets the others go', async () => {
      const [large, other] = [inSlot(0), inSlot(0)];
      for (const key of [large, other]) {
        picky.poison.add(`${key}/1`);
        await publish(key, 1, 1);
      }
      await path.consume(consumer);
      picky.poison.clear();
      const [letter] = await operations.list({ ...ALL, aggregateId: large });
      await operations.patch(intent, letter!.deadLetterId, (data) => ({
        ...data,
        text: 'x'.repeat(100_000),
      }));
      await operations.replay(intent, ALL);
      await path.settle(consumer);
      expect([await applied(large), await applied(other)]).toEqual([[], [1]]);
      expect(await operations.list(ALL)).toMatchObject([{ status: 'DEAD', code: 'RECORD_REFUSED' }]);
    });

    it('that the log refuses is no try: an event that was parked until then counts its tries from the first', async () => {
      const key = await parkedKey();
      picky.poison.delete(`${key}/2`);
      picky.poison.add(`${key}/3`);
      const [, third] = await letters();
      const patch = (text: string): Promise<unknown> =>
        operations.patch(intent, third!.id, (data) => ({ ...data, text }));
      await patch('x'.repeat(100_000));
      await operations.replay(intent, { ...ALL, aggregateId: key });
      await path.settle(consumer);
      expect((await letters())[1]).toMatchObject({ status: 'DEAD', retries: 0 });
      await patch('x');
      await operations.replay(intent, { ...ALL, aggregateId: key });
      await path.settle(consumer);
      expect((await letters())[1]).toMatchObject({ status: 'DEAD', code: 'PROJECTION_FAILED', retries: 3 });
    });

    it('of another event under a version that is taken applies nothing, and stands in nobody’s way', async () => {
      const key = inSlot(0);
      picky.poison.add(`${key}/1`);
      await publish(key, 1, 2);
      const [first] = path.store.records(TOPIC);
      const event = JSON.parse(first!.value!.toString()) as EventEnvelope;
      const value = Buffer.from(JSON.stringify({ ...event, eventId: newId(), data: { ...event.data } }));
      path.store.write(TOPIC, [{ ...first!, key, value }]);
      await path.consume(consumer);
      picky.poison.clear();
      const another: LetterFilter = { ...ALL, code: 'KEY_REWIND' };
      await operations.replay(intent, another);
      await path.settle(consumer);
      expect([await applied(key), await operations.list(another)]).toMatchObject([[], [{ status: 'DEAD' }]]);
      const [letter] = await operations.replay(intent, another);
      await new ReplayStore(path.work, GROUP, TOPIC).refused(
        { ...letter!, replay: letter!.replayCount } as unknown as DueReplay,
        'too large',
      );
      expect(await operations.list(another)).toMatchObject([{ status: 'DEAD' }]);
      await operations.replay(intent, { ...ALL, eventId: event.eventId });
      await path.settle(consumer);
      expect([await applied(key), await operations.list(ALL)]).toMatchObject([
        [1, 2],
        [{ code: 'KEY_REWIND' }],
      ]);
    });

    it('applies an event whose version a stranger had taken, once the stranger’s is skipped', async () => {
      const [key, other] = [inSlot(0), inSlot(0)];
      await publish(other, 1, 2);
      const second = path.store.records(TOPIC)[1]!;
      const value = second.value!.toString().replaceAll(other, key);
      const { eventId } = JSON.parse(value) as EventEnvelope;
      const strangers = Buffer.from(value.replace(eventId, newId()));
      path.store.write(TOPIC, [{ ...second, key, value: strangers }]);
      await path.consume(consumer);
      await operations.skip(intent, { ...ALL, aggregateId: key });
      picky.poison.add(`${key}/2`);
      await publish(key, 1, 2);
      await path.consume(consumer);
      picky.poison.clear();
      await operations.replay(intent, { ...ALL, aggregateId: key });
      await path.settle(consumer);
      expect([await applied(key), await operations.list(ALL)]).toEqual([[1, 2], []]);
    });

    it('of what is no event is possible, and finds it as it was', async () => {
      path.store.write(TOPIC, [
        { partition: 0, key: 'k', value: Buffer.from('{"cut": '), headers: { ce_tenantid: 'x' } },
      ]);
      await path.consume(consumer);
      await operations.replay(intent, ALL);
      await path.settle(consumer);
      expect(await letters()).toMatchObject([{ status: 'DEAD', code: 'NOT_JSON', retries: 1, replays: 1 }]);
      expect(await path.count('dead_letters')).toBe(1);
    });
  });

  describe('a skip', () => {
    it('settles the head of its key without effect; what is parked behind goes on by itself', async () => {
      const key = await parkedKey();
      const head = (await letters())[0]!;
      const {
        letters: skipped,
        promoted,
        refused,
      } = await operations.skip(intent, {
        ...ALL,
        deadLetterId: head.id,
      });
      expect([skipped.map(({ status }) => status), promoted, refused]).toEqual([['SKIPPED'], 2, []]);
      await path.settle(consumer);
      expect([await applied(key), await mark(key), await statuses()]).toEqual([
        [1, 3, 4],
        4,
        [
          [2, 'SKIPPED'],
          [3, 'RESOLVED'],
          [4, 'RESOLVED'],
        ],
      ]);
      expect(await audits('dead_letter.skipped')).toMatchObject([
        { resource_id: head.id, changes: { reason: 'mended', status: ['DEAD', 'SKIPPED'], keySeq: 2 } },
      ]);
      // Delivered again it stays skipped.
      path.store.write(TOPIC, path.store.records(TOPIC));
      await path.settle(consumer);
      expect([await applied(key), await path.count('dead_letters')]).toEqual([[1, 3, 4], 3]);
    });

    it('out of turn is refused, of one on its way too, and neither changes anything', async () => {
      const key = await parkedKey();
      const [, third] = await letters();
      const skip = (deadLetterId: string): ReturnType<DeadLetterOperations['skip']> =>
        operations.skip(intent, { ...ALL, deadLetterId });
      expect((await skip(third!.id)).refused).toEqual([
        { deadLetterId: third!.id, why: 'version 2 of its key comes first' },
      ]);
      await operations.replay(intent, { ...ALL, aggregateId: key });
      expect((await skip(third!.id)).refused).toEqual([{ deadLetterId: third!.id, why: 'it is REPLAYING' }]);
      expect([await mark(key), (await audits('dead_letter.skipped')).length]).toEqual([1, 0]);
    });

    it("of a stranger's event leaves its version to the one that is still to come", async () => {
      const key = inSlot(0);
      await publish(key, 1, 1);
      const stranger = { ...path.events()[0]!, eventId: newId(), keySeq: 2, version: 9 };
      path.store.write(TOPIC, [
        {
          partition: 0,
          key,
          value: Buffer.from(JSON.stringify(stranger)),
          headers: { ce_tenantid: path.house.tenantId },
        },
      ]);
      await path.consume(consumer);
      expect(await letters()).toMatchObject([{ seq: 2, code: 'UNKNOWN_EVENT_VERSION' }]);
      expect((await operations.skip(intent, ALL)).letters).toHaveLength(1);
      await publish(key, 2, 2);
      await path.consume(consumer);
      expect(await applied(key)).toEqual([1, 2]);
    });

    it('by two operators at once is done once, and the other is told', async () => {
      const key = await parkedKey();
      const [{ id }] = (await letters()) as [Letter];
      const skip = (): ReturnType<DeadLetterOperations['skip']> =>
        operations.skip(intent, { ...ALL, deadLetterId: id });
      const both = await Promise.all([skip(), skip(), skip()]);
      expect(both.reduce((sum, { letters: skipped }) => sum + skipped.length, 0)).toBe(1);
      expect([await mark(key), (await audits('dead_letter.skipped')).length]).toEqual([2, 1]);
    });

    it('and a consumer that parks at the same time leave no letter behind that could go on', async () => {
      const key = inSlot(0);
      picky.poison.add(`${key}/1`);
      await publish(key, 1, 1);
      await path.consume(consumer);
      for (let seq = 2; seq <= 12; seq++) {
        picky.poison.add(`${key}/${seq}`);
        await publish(key, seq, seq);
        await Promise.all([
          path.consume(consumer),
          operations.skip(intent, { ...ALL, statuses: ['DEAD'], aggregateId: key }),
        ]);
        await path.settle(consumer);
        expect((await letters()).filter(({ status }) => status === 'PARKED')).toEqual([]);
      }
    });
  });

  it('a gap that is filled lets the events behind it go on by themselves', async () => {
    const key = inSlot(0);
    await publish(key, 1, 4);
    const [first, second, ...rest] = path.store.records(TOPIC);
    path.store.truncate(TOPIC, 0, 4n);
    path.store.write(TOPIC, [first!, ...rest]);
    await path.consume(consumer);
    expect(await statuses()).toEqual([
      [3, 'PARKED'],
      [4, 'PARKED'],
    ]);
    path.store.write(TOPIC, [second!]);
    await path.settle(consumer);
    expect([await applied(key), await statuses()]).toEqual([
      [1, 2, 3, 4],
      [
        [3, 'RESOLVED'],
        [4, 'RESOLVED'],
      ],
    ]);
  });

  describe('a patch', () => {
    it('is checked as an event is, keeps what was delivered, is recorded, and is what a replay applies', async () => {
      const key = inSlot(0);
      await path.reserve(key, 1, { ...reservationData(stay()), arrival: '2027-02-30' });
      await path.drain();
      await path.consume(consumer);
      const [{ id }] = (await letters()) as [Letter];
      await expect(
        operations.patch(intent, id, (data) => ({ ...data, status: 'ARRIVED' })),
      ).rejects.toMatchObject({
        code: 'INVALID_EVENT_DATA',
      });
      await operations.patch({ ...intent, dryRun: true }, id, (data) => ({ ...data, arrival: '2027-03-01' }));
      const untouched = await operations.inspect(id);
      expect([untouched.originalValue, await audits('dead_letter.patched')]).toEqual([null, []]);
      await operations.patch(intent, id, (data) => ({ ...data, arrival: '2027-03-01' }));
      const patched = await operations.inspect(id);
      expect(patched.originalValue).toEqual(path.store.records(TOPIC)[0]!.value);
      const [audit] = await audits('dead_letter.patched');
      expect(audit!.changes).toEqual({
        reason: 'mended',
        payloadSha256: [expect.stringMatching(/^[0-9a-f]{64}$/), expect.stringMatching(/^[0-9a-f]{64}$/)],
      });
      await operations.replay(intent, ALL);
      await path.settle(consumer);
      expect([await applied(key), await path.count('occupancy_nights')]).toEqual([[1], 2]);
      await expect(operations.patch(intent, id, (data) => data)).rejects.toMatchObject({
        code: 'DEAD_LETTER_SETTLED',
      });
    });
  });

  it('a dry run, or a filter that means none, changes nothing', async () => {
    await parkedKey();
    const before = await path.rows(`SELECT * FROM dead_letters ORDER BY key_seq`);
    const dry = { ...intent, dryRun: true };
    expect(await operations.replay(dry, ALL)).toMatchObject([{ keySeq: 2 }, { keySeq: 3 }, { keySeq: 4 }]);
    expect(await operations.skip(dry, ALL)).toMatchObject({ promoted: 0, letters: [{}, {}, {}] });
    for (const mistyped of [{ code: 'PROJECTION_FAILD' }, { tenantId: newId() }, { eventId: newId() }]) {
      expect(await operations.replay(intent, { ...ALL, ...mistyped })).toEqual([]);
      expect((await operations.skip(intent, { ...ALL, ...mistyped })).letters).toEqual([]);
    }
    expect(await path.rows(`SELECT * FROM dead_letters ORDER BY key_seq`)).toEqual(before);
    expect(await path.count('audit_log')).toBe(4);
  });

  it('an inspection shows the event, its cause, and what stands before and behind it', async () => {
    await parkedKey();
    const [, third] = await letters();
    expect(await operations.inspect(third!.id)).toMatchObject({
      code: 'KEY_PARKED',
      before: [{ keySeq: 2, code: 'PROJECTION_FAILED' }],
      behind: [{ keySeq: 4 }],
      offset: '2',
    });
    await expect(operations.inspect(newId())).rejects.toMatchObject({ code: 'DEAD_LETTER_NOT_FOUND' });
  });

  it('the database takes no other way of a letter than the known ones, and no time twice', async () => {
    const all = ['DEAD', 'PARKED', 'REPLAYING', 'RESOLVED', 'SKIPPED'];
    const legal = new Set([
      'DEAD>REPLAYING',
      'PARKED>REPLAYING',
      'DEAD>SKIPPED',
      'PARKED>SKIPPED',
      'REPLAYING>RESOLVED',
      'REPLAYING>DEAD',
      'REPLAYING>PARKED',
    ]);
    await parkedKey();
    const [{ id }] = (await letters()) as [Letter];
    const set = (to: string, from: string): Promise<object[]> =>
      path.rows(
        `UPDATE dead_letters SET status = $1::text,
           replay_count = replay_count + ($1 = 'REPLAYING' AND $2 <> 'REPLAYING')::int,
           replay_requested_at = CASE WHEN $1 = 'REPLAYING' THEN now() ELSE replay_requested_at END,
           resolved_at = CASE WHEN $1 = 'RESOLVED' THEN coalesce(resolved_at, now()) END,
           skipped_at = CASE WHEN $1 = 'SKIPPED' THEN coalesce(skipped_at, now()) END WHERE dead_letter_id = $3`,
        [to, from, id],
      );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...all), { maxLength: 8 }), async (ways) => {
        await path.rows(`ALTER TABLE dead_letters DISABLE TRIGGER dead_letters_moves`);
        await path.rows(`UPDATE dead_letters SET status = 'DEAD', resolved_at = NULL, skipped_at = NULL`);
        await path.rows(`ALTER TABLE dead_letters ENABLE TRIGGER dead_letters_moves`);
        let at = 'DEAD';
        for (const to of ways) {
          const moved = await set(to, at).then(
            () => true,
            (error: { constraint?: string }) => {
              expect(error.constraint).toBe('dead_letters_moves');
              return false;
            },
          );
          expect([at, to, moved]).toEqual([at, to, to === at || legal.has(`${at}>${to}`)]);
          if (moved) at = to;
        }
      }),
      { numRuns: 40 },
    );
    await path.rows(`UPDATE dead_letters SET published_at = now() WHERE dead_letter_id = $1`, [id]);
    for (const change of [
      `published_at = now() + interval '1 hour'`,
      `created_at = now()`,
      `event_id = gen_random_uuid()`,
      `record_value = '\\x00'`,
    ])
      await expect(
        path.rows(`UPDATE dead_letters SET ${change} WHERE dead_letter_id = $1`, [id]),
      ).rejects.toMatchObject({ constraint: 'dead_letters_written_once' });
  });

  describe('an error that is the database’s fault as a rule', () => {
    const state = (code: string) => (): Error => Object.assign(new Error('of the database'), { code });

    it.each(['42501', '57014', '55P03', 'XX000', '40001'])(
      '(%s) parks the key of the one event that always meets it, and the others go on',
      async (code) => {
        const [bad, good] = [inSlot(0), inSlot(0)];
        picky.failure = state(code);
        picky.poison.add(`${bad}/1`);
        await publish(good, 1, 2);
        await publish(bad, 1, 2);
        await publish(good, 3, 4);
        for (let turn = 0; turn < 4; turn++) await path.consume(consumer);
        expect(await letters()).toMatchObject([
          { seq: 1, status: 'DEAD', code: `SQLSTATE_${code}`, retries: 3 },
          { seq: 2, status: 'PARKED', code: 'KEY_PARKED' },
        ]);
        expect(await applied(good)).toEqual([1, 2, 3, 4]);
      },
    );

    it('that every event meets dead-letters none, however long it lasts', async () => {
      // What went through before is no evidence.
      await publish(inSlot(0), 1, 2);
      await path.consume(consumer);
      const keys = Array.from({ length: 6 }, () => inSlot(0));
      for (const key of keys) await publish(key, 1, 1);
      await path.rows(`REVOKE INSERT, UPDATE ON occupancy_nights FROM tartware_worker`);
      for (let turn = 0; turn < 12; turn++) await path.consume(consumer);
      expect([await path.count('dead_letters'), await path.count('event_inbox')]).toEqual([0, 2]);
      await path.rows(`GRANT INSERT, UPDATE ON occupancy_nights TO tartware_worker`);
      await path.consume(consumer);
      expect([await path.count('dead_letters'), await path.count('event_inbox')]).toEqual([0, 8]);
    });

    it('is weighed by what other partitions apply, where nothing else comes in its own', async () => {
      const [bad, good] = [inSlot(0), inSlot(1)];
      picky.failure = state('57014');
      picky.poison.add(`${bad}/1`);
      await publish(bad, 1, 1);
      for (let turn = 0; turn < 8; turn++) await path.consume(consumer);
      expect(await path.count('dead_letters')).toBe(0);
      await publish(good, 1, 1);
      for (let turn = 0; turn < 2; turn++) await path.consume(consumer);
      expect(await letters()).toMatchObject([{ status: 'DEAD', code: 'SQLSTATE_57014' }]);
    });
  });

  it('whatever is dead-lettered, replayed, skipped, lost and delivered again: each key in order, each event once', async () => {
    const keys = Array.from({ length: 3 }, () => inSlot(0));
    for (const key of keys) await publish(key, 1, 5);
    const topic = path.store.records(TOPIC);
    const act = fc.oneof(
      fc.record({ do: fc.constant('deliver' as const), record: fc.nat(topic.length - 1) }),
      fc.record({ do: fc.constant('poison' as const), key: fc.nat(2), seq: fc.integer({ min: 1, max: 5 }) }),
      fc.record({
        do: fc.constantFrom(
          'heal' as const,
          'replay' as const,
          'skip' as const,
          'publish' as const,
          'consume' as const,
        ),
        key: fc.nat(2),
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 10, maxLength: 40 }), async (acts) => {
        await path.rows(
          `TRUNCATE dead_letters, event_inbox, event_key_marks, occupancy_nights, reservation_event_offsets`,
        );
        path.store.truncate(TOPIC, 0, 1n << 40n);
        picky.poison.clear();
        const reader = path.consumer({ projectors: [picky], maxRetries: 0 });
        const replays = path.replays(reader);
        const whole = async (): Promise<void> => {
          path.store.write(TOPIC, topic);
          await path.consume(reader);
        };
        for (const one of acts) {
          if (one.do === 'deliver') path.store.write(TOPIC, [topic[one.record]!]);
          else if (one.do === 'poison') picky.poison.add(`${keys[one.key]}/${one.seq}`);
          else if (one.do === 'heal') picky.poison.clear();
          else if (one.do === 'publish') await replays.loop.runOnce();
          else if (one.do === 'consume') await path.consume(reader);
          else await operations[one.do](intent, { ...ALL, aggregateId: keys[one.key]! });
        }
        picky.poison.clear();
        await whole();
        await operations.replay(intent, ALL);
        await path.settle(reader, replays);
        expect((await statuses()).filter(([, status]) => !['RESOLVED', 'SKIPPED'].includes(status))).toEqual(
          [],
        );
        for (const key of keys) {
          const skipped = await path.rows<{ seq: number }>(
            `SELECT key_seq AS seq FROM dead_letters WHERE aggregate_id = $1 AND status = 'SKIPPED'`,
            [key],
          );
          const expected = [1, 2, 3, 4, 5].filter((seq) => !skipped.some((one) => one.seq === seq));
          expect([await applied(key), await mark(key)]).toEqual([expected, 5]);
        }
      }),
      { numRuns: 25 },
    );
  });
});
