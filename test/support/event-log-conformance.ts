import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  RecordRefusedError,
  type EventLog,
  type LogPosition,
  type LogRecord,
  type ReadRecord,
  type RecordBatch,
  type Subscription,
  type SubscribeOptions,
} from '../../src/platform/event-log/event-log.js';
import { UnknownTopicError } from '../../src/platform/event-log/unknown-topic-error.js';
import { GroupLedger, RecordingHandler } from './recording-handler.js';

/** What the suite needs to know of an adapter. */
export interface EventLogHarness {
  /** A client of the log, as another process would have it; closed by the suite. */
  open(): Promise<EventLog>;
  /** Writes a record that no adapter of ours writes. */
  appendForeign(
    topic: string,
    record: Pick<ReadRecord, 'partition' | 'key' | 'value' | 'headers'>,
  ): Promise<void>;
  /** Makes the records before `offset` vanish, as retention does. */
  truncate(topic: string, partition: number, offset: bigint): Promise<void>;
  /** False where a newcomer gets only partitions that are free. */
  readonly rebalances: boolean;
  close(): Promise<void>;
}

const PARTITIONS = 4;
const MAX_MESSAGE_BYTES = 20_000;

let serial = 0;
const unique = (what: string): string => `${what}-${process.pid}-${Date.now().toString(36)}-${(serial += 1)}`;

const record = (
  partition: number,
  value: string | Buffer,
  headers: Record<string, string> = {},
): LogRecord => ({
  partition,
  key: `key-${partition}`,
  value: Buffer.from(value),
  headers,
});

const numbered = (partition: number, count: number, from = 0): LogRecord[] =>
  Array.from({ length: count }, (_, i) => record(partition, `${partition}/${from + i}`));

const names = (partition: number, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${partition}/${i}`);

/** A batch handed to the test, and the means to answer it. */
function gate(handler: RecordingHandler): {
  entered: Promise<RecordBatch>;
  answer: (answer?: bigint | Error) => void;
} {
  let answer!: (answer?: bigint | Error) => void;
  const entered = new Promise<RecordBatch>((enter) => {
    handler.script.push(
      (batch) =>
        new Promise((resolve, reject) => {
          answer = (value) => {
            if (value instanceof Error) reject(value);
            else if (value === undefined) handler.apply(batch).then(resolve, reject);
            else resolve(value);
          };
          enter(batch);
        }),
    );
  });
  return { entered, answer: (value) => answer(value) };
}

/** The promises that every adapter of EventLog keeps; a new adapter is done when this passes. */
export function describeEventLogConformance(name: string, makeHarness: () => Promise<EventLogHarness>): void {
  describe(`event log conformance: ${name}`, () => {
    let harness: EventLogHarness;
    let log: EventLog;
    let topic: string;
    let open: Subscription[] = [];
    let others: EventLog[] = [];

    beforeAll(async () => {
      harness = await makeHarness();
      log = await harness.open();
    });

    afterEach(async () => {
      await Promise.all(open.map((subscription) => subscription.stop()));
      await Promise.all(others.map((other) => other.close()));
      open = [];
      others = [];
    });

    afterAll(async () => {
      await log?.close();
      await harness?.close();
    });

    const fresh = async (partitions = PARTITIONS): Promise<string> => {
      topic = unique('topic');
      await log.provision([
        { name: topic, partitions, retentionMs: 3_600_000, maxMessageBytes: MAX_MESSAGE_BYTES },
      ]);
      return topic;
    };
    const append = (records: readonly LogRecord[]): Promise<LogPosition[]> => log.append(topic, records);
    const another = async (): Promise<EventLog> => {
      const other = await harness.open();
      others.push(other);
      return other;
    };
    const subscribe = async (
      handler: RecordingHandler,
      options: Partial<SubscribeOptions> = {},
      via: EventLog = log,
    ): Promise<Subscription> => {
      const subscription = await via.subscribe(
        { topic, group: unique('group'), maxBatchRecords: 100, maxBatchBytes: 1_000_000, ...options },
        handler,
      );
      open.push(subscription);
      return subscription;
    };
    const holds = (handler: RecordingHandler, count: number): Promise<void> =>
      handler.ledger.events.until(`${count} partitions held`, () => handler.held.size === count);

    it('answers the position of every record, in the order given, without gaps', async () => {
      await fresh();
      const first = await append([record(1, 'a'), record(0, 'b'), record(1, 'c')]);
      const second = await append([record(1, 'd')]);
      expect([...first, ...second]).toEqual([
        { partition: 1, offset: 0n },
        { partition: 0, offset: 0n },
        { partition: 1, offset: 1n },
        { partition: 1, offset: 2n },
      ]);
    });

    it('keeps the order within each partition, under concurrent appends to all of them', async () => {
      await fresh();
      const handler = new RecordingHandler();
      await subscribe(handler, { maxBatchRecords: 7 });
      await Promise.all(
        Array.from({ length: PARTITIONS }, async (_, partition) => {
          for (let i = 0; i < 20; i += 1) await append(numbered(partition, 5, i * 5));
        }),
      );
      await handler.ledger.hasApplied(PARTITIONS * 100);
      for (let p = 0; p < PARTITIONS; p += 1) expect(handler.ledger.values(p)).toEqual(names(p, 100));
    });

    it('takes appends of many clients to one partition without a gap, a duplicate or a loss', async () => {
      await fresh(1);
      const clients = [log, await another(), await another()];
      const handler = new RecordingHandler();
      await subscribe(handler);
      const positions = await Promise.all(
        clients.flatMap((client) => Array.from({ length: 20 }, () => client.append(topic, numbered(0, 3)))),
      );
      const offsets = positions.flat().map((position) => Number(position.offset));
      expect(offsets.sort((a, b) => a - b)).toEqual(Array.from({ length: 180 }, (_, i) => i));
      await handler.ledger.hasApplied(180);
      expect(handler.ledger.applied.map((r) => Number(r.offset))).toEqual(
        Array.from({ length: 180 }, (_, i) => i),
      );
    });

    it('delivers what was appended while nobody listened', async () => {
      await fresh();
      await append(numbered(2, 10));
      const handler = new RecordingHandler();
      await subscribe(handler);
      await handler.ledger.hasApplied(10);
      expect(handler.ledger.values()).toEqual(names(2, 10));
    });

    it('brings back key, headers, binary and empty values unchanged, with the time of appending', async () => {
      await fresh();
      const bytes = Buffer.from([0, 255, 1, 128, 10, 13, 92, 39, 34]);
      const before = Date.now();
      await append([
        record(0, bytes, { 'content-type': 'application/json', unicode: 'Zürich – 東京 "\\' }),
        record(0, ''),
      ]);
      const handler = new RecordingHandler();
      await subscribe(handler);
      await handler.ledger.hasApplied(2);
      const [binary, empty] = handler.ledger.applied;
      expect(binary!.value!.equals(bytes)).toBe(true);
      expect(binary!.key).toBe('key-0');
      expect(binary!.headers).toEqual({ 'content-type': 'application/json', unicode: 'Zürich – 東京 "\\' });
      expect(Math.abs(binary!.timestamp - before)).toBeLessThan(10_000);
      expect(empty!.value).toEqual(Buffer.alloc(0));
      expect(empty!.headers).toEqual({});
    });

    it("hands a stranger's null key and null value on as null", async () => {
      await fresh();
      await harness.appendForeign(topic, {
        partition: 3,
        key: null,
        value: null,
        headers: { from: 'stranger' },
      });
      const handler = new RecordingHandler();
      await subscribe(handler);
      await handler.ledger.hasApplied(1);
      expect(handler.ledger.applied[0]).toMatchObject({
        partition: 3,
        key: null,
        value: null,
        headers: { from: 'stranger' },
      });
    });

    it('bounds a batch by records and by bytes, and lets one large record through alone', async () => {
      await fresh(1);
      await append([
        ...numbered(0, 10),
        record(0, Buffer.alloc(6_000)),
        record(0, Buffer.alloc(600)),
        record(0, Buffer.alloc(600)),
      ]);
      const handler = new RecordingHandler();
      await subscribe(handler, { maxBatchRecords: 4, maxBatchBytes: 5_000 });
      await handler.ledger.hasApplied(13);
      for (const { records } of handler.batches) {
        const bytes = records.reduce((sum, r) => sum + r.value!.length, 0);
        expect(records.length).toBeLessThanOrEqual(4);
        if (records.length > 1) expect(bytes).toBeLessThanOrEqual(5_000);
      }
      expect(
        handler.batches.some(({ records }) => records.length === 1 && records[0]!.value!.length === 6_000),
      ).toBe(true);
    });

    it('tells the high watermark, from which lag follows', async () => {
      await fresh(1);
      await append(numbered(0, 10));
      const handler = new RecordingHandler();
      await subscribe(handler, { maxBatchRecords: 4 });
      await handler.ledger.hasApplied(10);
      expect(handler.batches.map((batch) => batch.highWatermark)).toEqual([10n, 10n, 10n]);
    });

    it('asks for the offset at each assignment and reads on from the answer', async () => {
      await fresh(1);
      await append(numbered(0, 10));
      const handler = new RecordingHandler();
      handler.ledger.offsets.set(0, 7n);
      await subscribe(handler);
      await handler.ledger.hasApplied(3);
      expect(handler.calls.slice(0, 2)).toEqual(['+0', '0:7-9']);
    });

    it('reads again from an answer below the end', async () => {
      await fresh(1);
      const handler = new RecordingHandler();
      handler.script.push((batch) => handler.apply(batch, batch.records.slice(0, 2)));
      await append(numbered(0, 5));
      await subscribe(handler);
      await handler.ledger.hasApplied(5);
      expect(handler.calls).toEqual(['+0', '0:0-4', '0:2-4']);
      expect(handler.ledger.values()).toEqual(names(0, 5));
    });

    it('goes where the answer says: back before the batch, or forward beyond it', async () => {
      await fresh(1);
      const handler = new RecordingHandler();
      const answer = (next: bigint) => (): Promise<bigint> => Promise.resolve(next);
      handler.script.push((batch) => handler.apply(batch), answer(1n), answer(5n));
      await append(numbered(0, 6));
      await subscribe(handler, { maxBatchRecords: 2 });
      await handler.ledger.hasApplied(3);
      expect(handler.calls).toEqual(['+0', '0:0-1', '0:2-3', '0:1-2', '0:5-5']);
    });

    it('reads the same batch again after a throw, as often as it takes, and no other partition waits for it', async () => {
      await fresh(2);
      const handler = new RecordingHandler();
      const fail = async (batch: RecordBatch): Promise<bigint> => {
        if (batch.partition === 1) return handler.apply(batch);
        throw new Error('the database is away');
      };
      handler.script.push(fail, fail, fail, fail);
      await append(numbered(0, 3));
      await append(numbered(1, 3));
      const subscription = await subscribe(handler);
      await handler.ledger.hasApplied(6);
      expect(handler.ledger.values(1)).toEqual(names(1, 3));
      expect(handler.ledger.values(0)).toEqual(names(0, 3));
      expect(handler.calls.filter((call) => call === '0:0-2').length).toBeGreaterThanOrEqual(4);
      expect(subscription.status().lastError).toContain('the database is away');
    });

    it('asks again when `assigned` throws, and hands over no batch before it has an answer', async () => {
      await fresh(1);
      await append(numbered(0, 2));
      const handler = new RecordingHandler();
      const assigned = handler.assigned.bind(handler);
      let refusals = 2;
      handler.assigned = async (t, p) => {
        if ((refusals -= 1) >= 0) throw new Error('not yet');
        return assigned(t, p);
      };
      await subscribe(handler);
      await handler.ledger.hasApplied(2);
      expect(handler.calls).toEqual(['+0', '0:0-1']);
    });

    it('continues after what retention removed', async () => {
      await fresh(1);
      await append(numbered(0, 10));
      await harness.truncate(topic, 0, 6n);
      const handler = new RecordingHandler();
      handler.ledger.offsets.set(0, 2n);
      await subscribe(handler);
      await handler.ledger.hasApplied(4);
      expect(handler.ledger.applied.map((r) => r.offset)).toEqual([6n, 7n, 8n, 9n]);
    });

    it('begins anew when the stored offset is beyond the end, as after a log that was made anew', async () => {
      await fresh(1);
      await append(numbered(0, 3));
      const handler = new RecordingHandler();
      handler.ledger.offsets.set(0, 1_000n);
      await subscribe(handler);
      await handler.ledger.hasApplied(3);
      expect(handler.ledger.values()).toEqual(names(0, 3));
    });

    it('gives every group every record', async () => {
      await fresh();
      const [one, two] = [new RecordingHandler(), new RecordingHandler()];
      await subscribe(one);
      await subscribe(two);
      await append([...numbered(0, 5), ...numbered(3, 5)]);
      await Promise.all([one.ledger.hasApplied(10), two.ledger.hasApplied(10)]);
      expect([...one.ledger.values()].sort()).toEqual([...two.ledger.values()].sort());
    });

    it('never lets two consumers of a group hold one partition live, and applies each record once', async () => {
      await fresh();
      const group = unique('group');
      const ledger = new GroupLedger();
      const [one, two] = [new RecordingHandler(ledger), new RecordingHandler(ledger)];
      const first = await subscribe(one, { group, maxBatchRecords: 3 });
      const feed = async (from: number): Promise<void> => {
        for (let i = 0; i < 10; i += 1) {
          await Promise.all(
            Array.from({ length: PARTITIONS }, (_, p) => append(numbered(p, 5, from + i * 5))),
          );
        }
      };
      await feed(0);
      await subscribe(two, { group, maxBatchRecords: 3 }, await another());
      await feed(50);
      if (harness.rebalances) await holds(two, PARTITIONS / 2);
      await feed(100);
      await first.stop();
      await feed(150);
      await ledger.hasApplied(PARTITIONS * 200);
      await holds(two, PARTITIONS);
      for (let p = 0; p < PARTITIONS; p += 1) expect(ledger.values(p)).toEqual(names(p, 200));
      expect(ledger.overlaps).toEqual([]);
    });

    it('hands over when a consumer stops; the next one goes on from the stored offset', async () => {
      await fresh(1);
      const group = unique('group');
      const ledger = new GroupLedger();
      const [one, two] = [new RecordingHandler(ledger), new RecordingHandler(ledger)];
      const first = await subscribe(one, { group });
      await append(numbered(0, 4));
      await ledger.hasApplied(4);
      await first.stop();
      await append(numbered(0, 3, 4));
      await subscribe(two, { group }, await another());
      await ledger.hasApplied(7);
      expect(one.calls.at(-1)).toBe('-0');
      expect(two.calls).toEqual(['+0', '0:4-6']);
    });

    it('drains at stop: the batch in hand ends as the owner, then `revoked`, then nothing more', async () => {
      await fresh(1);
      const handler = new RecordingHandler();
      const held = gate(handler);
      const subscription = await subscribe(handler, { maxBatchRecords: 2 });
      await append(numbered(0, 6));
      const batch = await held.entered;
      let stopped = false;
      const stop = subscription.stop().then(() => (stopped = true));
      await batch.heartbeat();
      expect([batch.isLive(), stopped]).toEqual([true, false]);
      held.answer();
      await stop;
      expect(handler.calls.slice(-1)).toEqual(['-0']);
      expect(handler.batches).toHaveLength(1);
      expect(handler.ledger.offsets.get(0)).toBe(batch.records.at(-1)!.offset + 1n);
      expect(subscription.status()).toMatchObject({ connected: false, partitions: [] });
    });

    it('ends the life of a batch with its assignment: isLive is false, heartbeat throws', async () => {
      await fresh(1);
      const handler = new RecordingHandler();
      const subscription = await subscribe(handler);
      await append(numbered(0, 1));
      await handler.ledger.hasApplied(1);
      const batch = handler.batches[0]!;
      expect(batch.isLive()).toBe(true);
      await expect(batch.heartbeat()).resolves.toBeUndefined();
      await subscription.stop();
      expect(batch.isLive()).toBe(false);
      await expect(batch.heartbeat()).rejects.toThrow();
    });

    it('refuses a record that is too large, and appends nothing of its batch', async () => {
      await fresh(1);
      const large = record(0, Buffer.alloc(MAX_MESSAGE_BYTES + 1));
      await expect(append([record(0, 'small'), large])).rejects.toBeInstanceOf(RecordRefusedError);
      expect(await append([record(0, 'next')])).toEqual([{ partition: 0, offset: 0n }]);
    });

    it('takes a batch that is larger than a record may be', async () => {
      await fresh(1);
      const records = Array.from({ length: 10 }, (_, i) =>
        record(0, Buffer.alloc(MAX_MESSAGE_BYTES - 500, i)),
      );
      expect((await append(records)).map((p) => Number(p.offset))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      const handler = new RecordingHandler();
      await subscribe(handler);
      await handler.ledger.hasApplied(10);
      expect(handler.ledger.applied.map((r) => r.value![0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    });

    it('says so when a topic is unknown, and refuses a partition that the topic has not', async () => {
      topic = unique('nobody-made-this');
      await expect(append([record(0, 'x')])).rejects.toBeInstanceOf(UnknownTopicError);
      await expect(log.partitionCount(topic)).rejects.toBeInstanceOf(UnknownTopicError);
      await expect(subscribe(new RecordingHandler())).rejects.toBeInstanceOf(UnknownTopicError);
      await fresh(2);
      await expect(append([record(2, 'x')])).rejects.toBeInstanceOf(RecordRefusedError);
    });

    it('provisions again without harm, and never changes the number of partitions', async () => {
      await fresh(2);
      await append(numbered(1, 2));
      for (const partitions of [1, 2, 5]) {
        await log.provision([
          { name: topic, partitions, retentionMs: 3_600_000, maxMessageBytes: MAX_MESSAGE_BYTES },
        ]);
        expect(await (await another()).partitionCount(topic)).toBe(2);
      }
      expect(await append([record(1, 'x')])).toEqual([{ partition: 1, offset: 2n }]);
    });

    it('tells what each partition holds, also when its beginning or all of it was deleted', async () => {
      await fresh(3);
      const none = { start: 0n, end: 0n };
      expect(await log.ranges(topic)).toEqual([none, none, none]);
      await append(numbered(1, 2));
      expect(await (await another()).ranges(topic)).toEqual([none, { start: 0n, end: 2n }, none]);
      await harness.truncate(topic, 1, 1n);
      expect(await log.ranges(topic)).toEqual([none, { start: 1n, end: 2n }, none]);
      await harness.truncate(topic, 1, 2n);
      expect(await log.ranges(topic)).toEqual([none, { start: 2n, end: 2n }, none]);
      topic = unique('nobody-made-this');
      await expect(log.ranges(topic)).rejects.toBeInstanceOf(UnknownTopicError);
    });

    it('answers a ping, and reports a subscription that runs', async () => {
      await fresh();
      await expect(log.ping(5_000)).resolves.toBeUndefined();
      const handler = new RecordingHandler();
      const subscription = await subscribe(handler);
      await holds(handler, PARTITIONS);
      expect(subscription.status()).toEqual({
        connected: true,
        partitions: [0, 1, 2, 3],
        restarts: 0,
        lastError: null,
      });
    });
  });
}
