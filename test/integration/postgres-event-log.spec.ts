import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { LogRecord, Subscription } from '../../src/platform/event-log/event-log.js';
import { LogUnavailableError, RecordRefusedError } from '../../src/platform/event-log/event-log.js';
import {
  PostgresEventLog,
  type PostgresEventLogOptions,
} from '../../src/platform/event-log/postgres/postgres-event-log.js';
import { createTestDatabase } from '../support/database.js';
import { describeEventLogConformance } from '../support/event-log-conformance.js';
import { GroupLedger, RecordingHandler } from '../support/recording-handler.js';

type TestDatabase = Awaited<ReturnType<typeof createTestDatabase>>;

const QUICK: PostgresEventLogOptions = {
  pollMs: 100,
  timing: { pauseMs: 10, backoffMinMs: 5, backoffMaxMs: 50 },
};

/** One process: a pool of its own, as the worker has it. */
class Client extends PostgresEventLog {
  constructor(
    readonly connections: pg.Pool,
    options: PostgresEventLogOptions = QUICK,
  ) {
    super(connections, options);
  }

  static of(database: TestDatabase, options?: PostgresEventLogOptions): Client {
    const pool = new pg.Pool({ connectionString: database.workerUrl, max: 10 });
    pool.on('error', () => undefined);
    return new Client(pool, options);
  }

  override async close(): Promise<void> {
    await super.close();
    if (!this.connections.ended) await this.connections.end();
  }
}

describeEventLogConformance('PostgreSQL', async () => {
  const database = await createTestDatabase();
  const pool = new pg.Pool({ connectionString: database.workerUrl, max: 2 });
  // A connection that is still closing when the database is dropped is cut, which a pool without a listener makes a failure.
  pool.on('error', () => undefined);
  return {
    open: async () => Client.of(database),
    appendForeign: async (topic, { partition, key, value, headers }) => {
      await pool.query(
        `WITH o AS (UPDATE event_log_partitions SET next_offset = next_offset + 1 WHERE topic = $1 AND partition = $2 RETURNING next_offset - 1 AS at)
         INSERT INTO event_log_records (topic, partition, "offset", key, value, headers) SELECT $1, $2, at, $3, $4, $5 FROM o`,
        [topic, partition, key, value, headers],
      );
    },
    truncate: async (topic, partition, offset) => {
      await pool.query(
        'DELETE FROM event_log_records WHERE topic = $1 AND partition = $2 AND "offset" < $3',
        [topic, partition, `${offset}`],
      );
    },
    rebalances: false,
    close: async () => {
      await pool.end();
      await database.drop();
    },
  };
});

describe('the event log in PostgreSQL', () => {
  let database: TestDatabase;
  let log: Client;
  let topic: string;
  let serial = 0;
  const open: Client[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    log = Client.of(database);
  });

  afterEach(async () => {
    await Promise.all(open.splice(0).map((client) => client.close()));
  });

  afterAll(async () => {
    await log.close();
    await database.drop();
  });

  const fresh = async (partitions: number, retentionMs = 3_600_000): Promise<void> => {
    topic = `t${(serial += 1)}`;
    await log.provision([{ name: topic, partitions, retentionMs, maxMessageBytes: 100_000 }]);
  };
  const client = (options?: PostgresEventLogOptions): Client => {
    const made = Client.of(database, options);
    open.push(made);
    return made;
  };
  const records = (partition: number, count: number): LogRecord[] =>
    Array.from({ length: count }, (_, i) => ({
      partition,
      key: 'k',
      value: Buffer.from(`${i}`),
      headers: {},
    }));
  const subscribe = (via: PostgresEventLog, handler: RecordingHandler, group = 'g'): Promise<Subscription> =>
    via.subscribe({ topic, group, maxBatchRecords: 50, maxBatchBytes: 1_000_000 }, handler);
  /** Kills the connections that hold advisory locks, as a crash of the worker or a failover would. */
  const killOwners = async (): Promise<number> => {
    const { rowCount } = await log.connections.query(
      `SELECT pg_terminate_backend(pid) FROM (SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory'
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) o`,
    );
    return rowCount ?? 0;
  };

  it('revokes everything when the owning connection dies, takes it up anew, and loses or repeats nothing', async () => {
    await fresh(3);
    const handler = new RecordingHandler();
    const subscription = await subscribe(client(), handler);
    await log.append(topic, [...records(0, 10), ...records(2, 10)]);
    await handler.ledger.hasApplied(20);
    const before = handler.batches[0]!;
    expect(await killOwners()).toBe(1);
    await handler.ledger.events.until(
      'all partitions revoked and assigned again',
      () => handler.calls.filter((c) => c.startsWith('+')).length === 6,
    );
    expect(before.isLive()).toBe(false);
    for (const partition of [0, 1, 2]) {
      const life = handler.calls.filter((call) => call === `+${partition}` || call === `-${partition}`);
      expect(life).toEqual([`+${partition}`, `-${partition}`, `+${partition}`]);
    }
    await log.append(topic, records(0, 5));
    await handler.ledger.hasApplied(25);
    expect(handler.ledger.values()).toHaveLength(25);
    expect(subscription.status()).toMatchObject({ connected: true, partitions: [0, 1, 2], restarts: 1 });
  });

  it('ends the life of a batch in hand at the moment its connection dies', async () => {
    await fresh(1);
    const handler = new RecordingHandler();
    const seen: boolean[] = [];
    handler.script.push(async (batch) => {
      seen.push(batch.isLive());
      await killOwners();
      await expect(batch.heartbeat()).rejects.toThrow();
      seen.push(batch.isLive());
      return batch.records[0]!.offset;
    });
    await subscribe(client(), handler);
    await log.append(topic, records(0, 3));
    await handler.ledger.hasApplied(3);
    expect(seen).toEqual([true, false]);
  });

  it('gives the partitions of a killed consumer to the one that waits', async () => {
    await fresh(2);
    const ledger = new GroupLedger();
    const [one, two] = [new RecordingHandler(ledger), new RecordingHandler(ledger)];
    // The first one's back-off is long, so the second is the one that gets them.
    await subscribe(client({ ...QUICK, timing: { backoffMinMs: 5_000 } }), one);
    const waiting = await subscribe(client(), two);
    expect([one.held.size, waiting.status().partitions]).toEqual([2, []]);
    await log.connections.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1`,
    );
    await ledger.events.until('the second one holds both', () => two.held.size === 2);
    await log.append(topic, records(1, 4));
    await ledger.hasApplied(4);
    expect(ledger.overlaps).toEqual([]);
  });

  it('takes the locks of partitions in one order: appends that name them in opposite orders never deadlock', async () => {
    await fresh(6);
    const upwards = [0, 1, 2, 3, 4, 5].flatMap((partition) => records(partition, 2));
    const lists = [upwards, upwards.toReversed()];
    const appends = Array.from({ length: 120 }, (_, i) => log.append(topic, lists[i % 2]!));
    await expect(Promise.all(appends)).resolves.toHaveLength(120);
    const { rows } = await log.connections.query(
      'SELECT DISTINCT next_offset::int AS next FROM event_log_partitions WHERE topic = $1',
      [topic],
    );
    expect(rows).toEqual([{ next: 240 }]);
  });

  it('wakes a consumer of another process by NOTIFY, long before its poll', async () => {
    await fresh(1);
    const handler = new RecordingHandler();
    await subscribe(client({ ...QUICK, pollMs: 3_600_000 }), handler);
    await handler.ledger.events.until('assigned', () => handler.held.size === 1);
    await log.append(topic, records(0, 1));
    await handler.ledger.hasApplied(1);
  });

  it('wakes a consumer of the same process by itself', async () => {
    await fresh(1);
    const handler = new RecordingHandler();
    const alone = client({ ...QUICK, pollMs: 3_600_000 });
    await subscribe(alone, handler);
    await handler.ledger.events.until('assigned', () => handler.held.size === 1);
    await alone.append(topic, records(0, 1));
    await handler.ledger.hasApplied(1);
  });

  it('finds by its poll what no notification told of', async () => {
    await fresh(1);
    const handler = new RecordingHandler();
    await subscribe(client(), handler);
    await handler.ledger.events.until('assigned', () => handler.held.size === 1);
    await log.connections.query(
      `WITH o AS (UPDATE event_log_partitions SET next_offset = 1 WHERE topic = $1)
       INSERT INTO event_log_records (topic, partition, "offset", value, headers) VALUES ($1, 0, 0, 'x', '{}')`,
      [topic],
    );
    await handler.ledger.hasApplied(1);
  });

  it('prunes what is older than the retention, from the low end, and keeps the rest', async () => {
    await fresh(2, 60_000);
    await log.append(topic, [...records(0, 10), ...records(1, 3)]);
    await log.connections.query(
      `UPDATE event_log_records SET appended_at = now() - interval '2 minutes' WHERE topic = $1 AND partition = 0 AND ("offset" < 6 OR "offset" = 8)`,
      [topic],
    );
    expect(await log.prune()).toBe(6);
    const { rows } = await log.connections.query(
      'SELECT min("offset")::int AS min, count(*)::int AS n FROM event_log_records WHERE topic = $1 AND partition = 0',
      [topic],
    );
    expect(rows).toEqual([{ min: 6, n: 4 }]);
    expect(await log.append(topic, records(0, 1))).toEqual([{ partition: 0, offset: 10n }]);
  });

  it('reports at error level, with numbers, that unread records were pruned', async () => {
    await fresh(1);
    const errors: string[] = [];
    const handler = new RecordingHandler();
    handler.ledger.offsets.set(0, 1n);
    await log.append(topic, records(0, 5));
    await log.connections.query('DELETE FROM event_log_records WHERE topic = $1 AND "offset" < 4', [topic]);
    await subscribe(
      client({ ...QUICK, sink: { warn: () => undefined, error: (message) => errors.push(message) } }),
      handler,
    );
    await handler.ledger.hasApplied(1);
    expect(errors).toEqual([expect.stringContaining('offsets 1 to 3 (3 records) are gone')]);
  });

  it('refuses what PostgreSQL cannot store, and calls everything else unavailable', async () => {
    await fresh(1);
    const nul = { partition: 0, key: 'a\0b', value: Buffer.from('x'), headers: {} };
    await expect(log.append(topic, [nul])).rejects.toBeInstanceOf(RecordRefusedError);
    const gone = client();
    await gone.partitionCount(topic);
    await gone.connections.end();
    await expect(gone.append(topic, records(0, 1))).rejects.toBeInstanceOf(LogUnavailableError);
    await expect(gone.ping(1_000)).rejects.toBeInstanceOf(LogUnavailableError);
  });
});
