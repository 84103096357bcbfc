import type { DataSource } from 'typeorm';
import { Projectors, type Projector } from '../../src/modules/consumer/contract/projector.js';
import { ReplayPublisher } from '../../src/modules/consumer/dead-letters/replay-publisher.js';
import { ReplayStore } from '../../src/modules/consumer/persistence/replay-store.js';
import { EventProcessor } from '../../src/modules/consumer/processing/event-processor.js';
import { OccupancyProjector } from '../../src/modules/occupancy/consumers/occupancy-projector.js';
import { appendChanges } from '../../src/modules/outbox/contract/append-changes.js';
import type { EventEnvelope } from '../../src/modules/outbox/contract/events.js';
import { OutboxRelay, type RelayOptions } from '../../src/modules/outbox/relay/outbox-relay.js';
import { makeContext, type OpContext } from '../../src/platform/context/op-context.js';
import { openDataSource } from '../../src/platform/database/data-source.js';
import { sql } from '../../src/platform/database/sql.js';
import { BackgroundWork, UnitOfWork } from '../../src/platform/database/unit-of-work.js';
import type { EventLog, ReadRecord, RecordBatch } from '../../src/platform/event-log/event-log.js';
import { MemoryEventLog } from '../../src/platform/event-log/memory/memory-event-log.js';
import { MemoryLogStore } from '../../src/platform/event-log/memory/memory-log-store.js';
import { newId } from '../../src/platform/kernel/ids.js';
import type { LoopLog } from '../../src/platform/worker/loop.js';
import { createTestDatabase, type TestDatabase } from './database.js';
import { createHouse, type TestHouse, withClient } from './fixtures.js';

export const TOPIC = 'reservations.events';
export const DLQ = 'reservations.events.dlq';
export const GROUP = 'tartware-projections';

const BUMP = sql(
  'test.bump_guest',
  `UPDATE guests SET version = version + 1 WHERE tenant_id = $1 AND guest_id = $2 RETURNING version`,
);
const ADD_GUESTS = sql(
  'test.add_guests',
  `INSERT INTO guests (tenant_id, guest_id, last_name) SELECT $1, unnest($2::uuid[]), 'Key'`,
);

/** Reports of loops, for assertions. */
export class Reports implements LoopLog {
  readonly lines: string[] = [];
  warn = (line: string): void => void this.lines.push(line);
  error = (line: string): void => void this.lines.push(line);
}

/** A state of a reservation, as its events carry it. */
export interface Stay {
  readonly propertyId: string;
  readonly status: string;
  readonly arrival: string;
  readonly nightlyMinor: readonly number[];
}

const ANY_ID = newId();

/** The data of a reservation's event, whole. */
export function reservationData(after: Stay, previous: Stay | null = null): Record<string, unknown> {
  const departure = new Date(Date.parse(after.arrival) + after.nightlyMinor.length * 86_400_000);
  return {
    ...after,
    confirmationNumber: '22222222',
    roomTypeId: ANY_ID,
    ratePlanId: ANY_ID,
    guestId: ANY_ID,
    departure: departure.toISOString().slice(0, 10),
    dayUse: after.nightlyMinor.length === 0,
    adults: 2,
    children: 0,
    babies: 0,
    currency: 'EUR',
    roomNumber: null,
    origin: 'system',
    externalId: null,
    previous,
  };
}

/** Everything between a commit and its effect, on a real database; the log is in memory. */
export class ReliablePath {
  readonly reports = new Reports();
  private readonly relays: OutboxRelay[] = [];
  private drainer: OutboxRelay | null = null;

  private constructor(
    readonly db: TestDatabase,
    readonly house: TestHouse,
    private readonly sources: { readonly app: DataSource; readonly worker: DataSource },
    readonly store: MemoryLogStore,
  ) {}

  static async open(partitions = 8): Promise<ReliablePath> {
    const db = await createTestDatabase();
    const pool = (url: string): Promise<DataSource> =>
      openDataSource(url, { poolSize: 10, applicationName: 'tartware-test', entities: [] });
    const path = new ReliablePath(
      db,
      await createHouse(db),
      { app: await pool(db.appUrl), worker: await pool(db.workerUrl) },
      new MemoryLogStore(),
    );
    await path
      .log()
      .provision(
        [TOPIC, DLQ].map((name) => ({ name, partitions, retentionMs: 10 ** 9, maxMessageBytes: 100_000 })),
      );
    return path;
  }

  get uow(): UnitOfWork {
    return new UnitOfWork(this.sources.app);
  }

  get work(): BackgroundWork {
    return new BackgroundWork(this.sources.worker);
  }

  get ctx(): OpContext {
    return makeContext({
      tenantId: this.house.tenantId,
      subject: 'tester',
      permissions: ['*'],
      source: 'system',
    });
  }

  /** A client of the one log. */
  log(): MemoryEventLog {
    return new MemoryEventLog({
      store: this.store,
      timing: { pauseMs: 5, backoffMinMs: 2, backoffMaxMs: 20 },
    });
  }

  relay(log: EventLog = this.log(), options: Partial<RelayOptions> = {}): OutboxRelay {
    const relay = new OutboxRelay(
      this.work,
      log,
      {
        topic: TOPIC,
        leaseMs: 10_000,
        sweepIntervalMs: 20,
        batchSize: 100,
        retryScheduleMs: [0, 0],
        ...options,
      },
      this.reports,
    );
    this.relays.push(relay);
    return relay;
  }

  /** A consumer with the occupancy projector, and what is added. */
  consumer(
    options: { projectors?: readonly Projector[]; maxRetries?: number; owner?: string } = {},
  ): EventProcessor {
    const projectors = new Projectors();
    new OccupancyProjector(projectors);
    for (const projector of options.projectors ?? []) projectors.register(projector);
    return new EventProcessor(
      this.work,
      projectors,
      {
        group: GROUP,
        owner: options.owner ?? 'tester',
        maxRetries: options.maxRetries ?? 3,
        retryBackoffMs: 1,
        maxBatchRecords: 500,
      },
      this.reports,
    );
  }

  /** The publisher of replays beside a consumer. */
  replays(consumer: EventProcessor, log: EventLog = this.log()): ReplayPublisher {
    return new ReplayPublisher(
      new ReplayStore(this.work, GROUP, TOPIC),
      log,
      () => consumer.partitions(TOPIC),
      { topic: TOPIC, intervalMs: 20 },
      this.reports,
    );
  }

  /** Consumes, publishes replays and consumes them, until none is under way. */
  async settle(consumer: EventProcessor, replays = this.replays(consumer)): Promise<void> {
    for (let before = -1; before !== this.store.records(TOPIC).length;) {
      before = this.store.records(TOPIC).length;
      await this.consume(consumer);
      while (await replays.loop.runOnce());
    }
  }

  /** Appends one reservation event in a transaction of its own. */
  async reserve(
    aggregateId: string,
    version: number,
    data: Record<string, unknown>,
    type = 'reservation.modified',
  ): Promise<void> {
    const { ctx } = this;
    await this.uow.run(ctx, 'test.reserve', (tx) =>
      appendChanges(tx, ctx, [
        { aggregateType: 'reservation', aggregateId, version, type, data, changes: {} },
      ]),
    );
  }

  async addGuests(ids: readonly string[]): Promise<void> {
    await this.uow.run(this.ctx, 'test.add_guests', (tx) => tx.query(ADD_GUESTS, [tx.tenantId, ids]));
  }

  /** Changes guests, each under its row lock, in one transaction: real versions for real events. */
  async bump(ids: readonly string[]): Promise<void> {
    const { ctx } = this;
    await this.uow.run(ctx, 'test.bump', async (tx) => {
      for (const aggregateId of ids) {
        const [row] = await tx.query<{ version: number }>(BUMP, [tx.tenantId, aggregateId]);
        await appendChanges(tx, ctx, [
          {
            aggregateType: 'guest',
            aggregateId,
            version: row!.version - 1,
            type: 'guest.changed',
            data: { guestId: aggregateId, fields: ['lastName'] },
            changes: {},
          },
        ]);
      }
    });
  }

  /** What the log holds, as events. */
  events(): EventEnvelope[] {
    return this.store.records(TOPIC).map((record) => JSON.parse(record.value!.toString()) as EventEnvelope);
  }

  /** What one partition holds from an offset on, as one batch. */
  batchOf(partition: number, from = 0n): RecordBatch {
    return this.batch(this.recordsOf(partition, from));
  }

  private recordsOf(partition: number, from: bigint): ReadRecord[] {
    return this.store
      .records(TOPIC)
      .filter((record) => record.partition === partition && record.offset >= from);
  }

  batch(records: readonly ReadRecord[]): RecordBatch {
    const last = records[records.length - 1]!;
    return {
      topic: TOPIC,
      partition: last.partition,
      records,
      highWatermark: last.offset + 1n,
      heartbeat: async () => undefined,
      isLive: () => true,
    };
  }

  /** Hands everything in the log to a consumer, partition by partition. */
  async consume(consumer: EventProcessor): Promise<void> {
    const partitions = new Set(this.store.records(TOPIC).map(({ partition }) => partition));
    for (const partition of partitions) {
      const from = (await consumer.assigned(TOPIC, partition)) ?? 0n;
      const records = this.recordsOf(partition, from);
      if (records.length > 0) await consumer.batch(this.batch(records));
    }
  }

  /** Runs a relay (one of its own, unless told) until there is nothing to send. */
  async drain(relay: OutboxRelay = (this.drainer ??= this.relay())): Promise<void> {
    while (await relay.runOnce());
  }

  /** Stops that relay, so that another gets all slots at once. */
  async releaseDrainer(): Promise<void> {
    await this.drainer?.stop();
    this.drainer = null;
  }

  /** Rows as the superuser sees them. */
  async rows<T extends object>(text: string, values: unknown[] = []): Promise<T[]> {
    return withClient(this.db.superUrl, async (client) => (await client.query<T>(text, values)).rows);
  }

  async count(table: string): Promise<number> {
    const [row] = await this.rows<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`);
    return row!.n;
  }

  async close(): Promise<void> {
    await Promise.all(this.relays.map((relay) => relay.stop()));
    await this.sources.app.destroy();
    await this.sources.worker.destroy();
    await this.db.drop();
  }
}

/** Violations of order: a key's first appearances must be 1, 2, 3, … whatever comes twice. */
export function inversions(events: readonly EventEnvelope[]): string[] {
  const seen = new Map<string, number>();
  const faults: string[] = [];
  for (const { aggregateId, keySeq } of events) {
    const last = seen.get(aggregateId) ?? 0;
    if (keySeq > last + 1) faults.push(`${aggregateId}: ${keySeq} after ${last}`);
    seen.set(aggregateId, Math.max(last, keySeq));
  }
  return faults;
}
