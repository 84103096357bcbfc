import { mkdtempSync } from 'node:fs';
import { chmod, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { DataSource } from 'typeorm';
import { BACKGROUND_SETTINGS } from '../src/platform/database/database.module.js';
import { openDataSource, poolOf } from '../src/platform/database/data-source.js';
import { startEmbedded, type EmbeddedDatabase } from '../src/platform/database/embedded/embedded-postgres.js';
import { freePort } from '../src/platform/database/embedded/postmaster.js';
import { runMigrations } from '../src/platform/database/migrate.js';
import { BackgroundWork, UnitOfWork } from '../src/platform/database/unit-of-work.js';
import type { EventLog } from '../src/platform/event-log/event-log.js';
import { KafkaEventLog } from '../src/platform/event-log/kafka/kafka-event-log.js';
import { PostgresEventLog } from '../src/platform/event-log/postgres/postgres-event-log.js';
import { withDatabase } from '../test/support/server.js';
import { startBroker, type Broker } from '../tools/kafka/broker.mjs';
import { Ground } from './ground.js';

const TOPIC_SPEC = { retentionMs: 10 ** 9, maxMessageBytes: 1_000_000 };

/** What the measures stand on: a database on disk, as durable as in production, and a broker where one is asked for. */
export class Bed extends Ground {
  private readonly undo: (() => Promise<unknown>)[] = [];
  private broker: Promise<Broker> | null = null;
  private topics = 0;

  private constructor(
    readonly home: string,
    override readonly database: EmbeddedDatabase,
    readonly app: DataSource,
    readonly background: DataSource,
  ) {
    super(database);
  }

  static async open(): Promise<Bed> {
    const home = mkdtempSync(join(tmpdir(), 'tartware-bench-'));
    await chmod(home, 0o711);
    const database = await startEmbedded({
      home,
      settings: { shared_buffers: '512MB', max_wal_size: '4GB' },
    });
    await runMigrations(database.ownerUrl);
    const pool = (url: string, settings = {}): Promise<DataSource> =>
      openDataSource(url, { poolSize: 10, applicationName: 'tartware-bench', entities: [], settings });
    return new Bed(
      home,
      database,
      await pool(database.appUrl),
      await pool(database.workerUrl, BACKGROUND_SETTINGS),
    );
  }

  get uow(): UnitOfWork {
    return new UnitOfWork(this.app);
  }

  get work(): BackgroundWork {
    return new BackgroundWork(this.background);
  }

  /** Another database on the same server, migrated and empty. Ends with the part. */
  async another(name: string): Promise<Ground> {
    await this.sql(`CREATE DATABASE ${name} OWNER tartware_owner`);
    this.onClose(() => this.sql(`DROP DATABASE ${name} WITH (FORCE)`));
    const { ownerUrl, appUrl, workerUrl, superUrl } = this.database;
    const of = (url: string): string => withDatabase(url, name);
    const ground = new Ground({
      ownerUrl: of(ownerUrl),
      appUrl: of(appUrl),
      workerUrl: of(workerUrl),
      superUrl: of(superUrl),
    });
    await runMigrations(ground.database.ownerUrl);
    return ground;
  }

  /** A session of its own, to hold something open. Ends with the part. */
  async session(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.database.superUrl });
    await client.connect();
    client.on('error', () => undefined);
    this.undo.push(() => client.end());
    return client;
  }

  /** Undone with the bed, last first. */
  onClose(work: () => Promise<unknown>): void {
    this.undo.push(work);
  }

  /** Empties the whole path of events, and lets vacuum and the checkpoint come now and not in the midst of a measure. */
  async clear(): Promise<void> {
    await this.sql(
      `ALTER TABLE outbox_events DISABLE TRIGGER USER; ALTER TABLE audit_log DISABLE TRIGGER USER`,
    );
    for (const { name } of await this.sql<{ name: string }>(
      `SELECT oid::regclass::text AS name FROM pg_class WHERE relispartition AND relkind = 'r'`,
    ))
      await this.sql(`ALTER TABLE ${name} DISABLE TRIGGER USER; TRUNCATE ${name}`);
    await this
      .sql(`TRUNCATE outbox_queue, outbox_blocked_keys, outbox_relays, event_key_marks, dead_letters, reservation_event_offsets,
      event_log_records, event_log_partitions, event_log_topics RESTART IDENTITY CASCADE`);
    await this.sql(`UPDATE outbox_slots SET owner = NULL, lease_until = '-infinity', low_water = 0`);
    await this.settle();
  }

  /** A log with a topic of its own. */
  async log(kind: 'kafka' | 'embedded', partitions = 8): Promise<{ log: EventLog; topic: string }> {
    const topic = `bench-${process.pid}-${++this.topics}`;
    const log = kind === 'kafka' ? await this.kafka() : new PostgresEventLog(poolOf(this.background), {});
    await log.provision([{ name: topic, partitions, ...TOPIC_SPEC }]);
    this.undo.push(() => log.close());
    return { log, topic };
  }

  /** `host:port` of the broker, which starts when it is first asked for. */
  async brokers(): Promise<string> {
    this.broker ??= (async () => {
      const named = process.env['KAFKA_BROKERS'];
      if (named) return { brokers: named, stop: async () => undefined } as unknown as Broker;
      return startBroker({
        dir: join(this.home, 'broker'),
        port: await freePort(),
        controllerPort: await freePort(),
      });
    })();
    return (await this.broker).brokers;
  }

  private async kafka(): Promise<EventLog> {
    return new KafkaEventLog({ brokers: (await this.brokers()).split(','), clientId: 'tartware-bench' });
  }

  /** Undoes what a part opened: the next one has the machine to itself. */
  async tidy(): Promise<void> {
    for (const work of this.undo.splice(0).reverse()) await work().catch(() => undefined);
  }

  async close(): Promise<void> {
    await this.tidy();
    await this.app.destroy();
    await this.background.destroy();
    await (await this.broker)?.stop();
    await this.database.stop();
    await rm(this.home, { recursive: true, force: true });
  }
}
