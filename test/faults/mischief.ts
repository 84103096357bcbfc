import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { BatchHandler, LogRecord, RecordBatch } from '../../src/platform/event-log/event-log.js';
import {
  appendChangesCtes,
  appended,
  eventOf,
  type Change,
} from '../../src/modules/outbox/contract/append-changes.js';
import { slotOf } from '../../src/modules/outbox/contract/events.js';
import { partitionOf } from '../../src/modules/outbox/domain/slots.js';
import { clerkOf } from '../support/fixtures.js';
import type { Random } from './random.js';
import type { Stage } from './stage.js';
import { TOPIC, type Tail } from './tail.js';

/** One record of so many is poison. */
const POISON_SHARE = 0.01;
const POISON_EVERY_MS = 100;
const LARGE_BYTES = 900_000;
const APPEND = `WITH ${appendChangesCtes(1, 2)} SELECT 1`;

/** What goes on during the whole run: a transaction that never ends, and poison in the topic. */
export class Mischief {
  /** Records of poison that the log took. */
  poisoned = 0;
  private client: pg.Client | null = null;
  /** When the open transaction began, and how long the longest one was open, ms. */
  private openedAt = 0;
  private longestMs = 0;
  private timer: NodeJS.Timeout | null = null;
  private pouring: Promise<void> = Promise.resolve();
  private replays = 0;

  constructor(
    private readonly stage: Stage,
    private readonly tail: Tail,
    private readonly random: Random,
  ) {}

  /** Opens the transaction, and pours one poisonous record into the topic for each 99 good ones. */
  async begin(): Promise<void> {
    await this.reopen();
    this.timer = setInterval(() => {
      // One after the other: a broker that is away must not gather a crowd.
      this.pouring = this.pouring.then(() => this.pour()).catch(() => undefined);
    }, POISON_EVERY_MS);
  }

  /**
   * Begins the transaction anew: a restart of the database ends it like any other. It has written an event of its own, under
   * an early number of the queue, which comes to light at the very end.
   */
  async reopen(): Promise<void> {
    if (this.client) this.longestMs = Math.max(this.longestMs, Date.now() - this.openedAt);
    await this.client?.end().catch(() => undefined);
    const client = new pg.Client({ connectionString: this.stage.cluster.urls.superUrl });
    client.on('error', () => undefined);
    await client.connect();
    const ctx = clerkOf(this.stage.desks[0]!.house);
    const aggregateId = randomUUID();
    const change: Change = {
      aggregateType: 'guest',
      aggregateId,
      version: 1,
      type: 'guest.created',
      data: { guestId: aggregateId, fields: [] },
      changes: {},
    };
    await client.query('BEGIN');
    await client.query(APPEND, [ctx.tenantId, ...appended([eventOf(ctx, change)], [])]);
    this.client = client;
    this.openedAt = Date.now();
  }

  /** No more poison; the transaction stays. */
  async calm(): Promise<void> {
    if (this.timer) clearInterval(this.timer);
    await this.pouring;
  }

  /** Commits the transaction, event and all; answers for how long the longest one was open, ms. @throws Error when it had died */
  async end(): Promise<number> {
    const answer = await this.client!.query<{ ms: number }>(
      `SELECT extract(epoch FROM clock_timestamp() - now())::float8 * 1000 AS ms`,
    );
    await this.client!.query('COMMIT');
    await this.client!.end();
    return Math.max(this.longestMs, answer.rows[0]!.ms);
  }

  /** Appends every record of the topic to it again, in its order; answers how many. */
  async replayTopic(): Promise<number> {
    const ends = new Map(this.tail.ends);
    if (ends.size === 0) return 0;
    let count = 0;
    let left = ends.size;
    let finish!: () => void;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const next = new Map<number, bigint>();
    const handler: BatchHandler = {
      assigned: async (_, partition) => next.get(partition) ?? 0n,
      revoked: async () => undefined,
      batch: async ({ partition, records }: RecordBatch) => {
        const end = ends.get(partition) ?? 0n;
        const from = next.get(partition) ?? 0n;
        const again = records.filter(({ offset }) => offset >= from && offset < end);
        const copies = again.map(
          ({ key, value, headers }) => ({ partition, key, value, headers }) as LogRecord,
        );
        await this.stage.log.append(TOPIC, copies);
        count += copies.length;
        const read = records[records.length - 1]!.offset + 1n;
        if (from < end && read >= end && --left === 0) finish();
        next.set(partition, read);
        return read;
      },
    };
    const group = `faults-replay-${++this.replays}`;
    const options = { topic: TOPIC, group, maxBatchRecords: 500, maxBatchBytes: 1_000_000 };
    const subscription = await this.stage.log.subscribe(options, handler);
    await finished;
    await subscription.stop();
    return count;
  }

  private async pour(): Promise<void> {
    if (this.poisoned >= this.tail.records * POISON_SHARE) return;
    const partitions = await this.stage.log.partitionCount(TOPIC);
    const { house } = this.random.pick(this.stage.desks);
    await this.stage.log.append(TOPIC, [poison(house.tenantId, partitions, this.random)]);
    this.poisoned += 1;
  }
}

/** A record that no consumer can apply, of one of the kinds that strangers write. Its key is nobody's. */
function poison(tenantId: string, partitions: number, random: Random): LogRecord {
  const aggregateId = randomUUID();
  const event = {
    eventId: randomUUID(),
    tenantId,
    type: 'guest.changed',
    version: 1,
    aggregateType: 'guest',
    aggregateId,
    keySeq: 1,
    occurredAt: new Date().toISOString(),
    correlationId: randomUUID(),
    data: { guestId: aggregateId, fields: [] },
  };
  const record = (value: string, header = tenantId): LogRecord => ({
    partition: partitionOf(slotOf(aggregateId), partitions),
    key: aggregateId,
    value: Buffer.from(value),
    headers: { ce_tenantid: header },
  });
  const kinds: (() => LogRecord)[] = [
    () => record('no JSON at all {'),
    () => record(''),
    () => record(`[${'1,'.repeat(LARGE_BYTES / 2 - 10)}1]`),
    () => record(JSON.stringify({ ...event, type: 'unicorn.seen', aggregateType: 'unicorn' })),
    () => record(JSON.stringify({ ...event, version: 99 })),
    () => record(JSON.stringify({ ...event, type: 'reservation.created', aggregateType: 'reservation' })),
    () => record(JSON.stringify(event), randomUUID()),
    () => record(JSON.stringify({ ...event, keySeq: 7 })),
  ];
  return random.pick(kinds)();
}
