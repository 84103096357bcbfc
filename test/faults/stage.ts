import { join } from 'node:path';
import pg from 'pg';
import { freePort } from '../../src/platform/database/embedded/postmaster.js';
import type { EventLog } from '../../src/platform/event-log/event-log.js';
import { KafkaEventLog } from '../../src/platform/event-log/kafka/kafka-event-log.js';
import { PostgresEventLog } from '../../src/platform/event-log/postgres/postgres-event-log.js';
import { startBroker, type Broker } from '../../tools/kafka/broker.mjs';
import { createHouse, type TestHouse } from '../support/fixtures.js';
import { until } from '../support/http-client.js';
import { Installation, type Env } from '../support/service.js';
import { Cluster } from './cluster.js';
import { Member } from './member.js';
import { FaultProxy } from './proxy.js';

/** Leases, and sessions of the broker: short, so that a drill sees many of them run out. */
export const LEASE_MS = 2_000;
/** Workers that a storm goes up to. */
const MOST_WORKERS = 4;
const TENANTS = 2;

export interface StageOptions {
  /** A broker of its own; else the log in PostgreSQL. */
  readonly kafka: boolean;
  readonly apis: number;
  /** Workers to begin with, 1 to 4. */
  readonly workers: number;
}

/** A tenant with its house and a token of its desk. */
export interface Desk {
  readonly house: TestHouse;
  readonly token: string;
}

interface BrokerPlace {
  readonly dir: string;
  readonly port: number;
  readonly controllerPort: number;
  readonly overrides: Record<string, string>;
}

/** Real processes on a real PostgreSQL and a real broker, each behind proxies of ours. */
export class Stage {
  readonly members: Member[] = [];
  readonly desks: Desk[] = [];
  log!: EventLog;
  private readonly proxies: FaultProxy[] = [];
  private broker: Broker | null = null;
  private place: BrokerPlace | null = null;
  private logPool: pg.Pool | null = null;

  private constructor(
    readonly options: StageOptions,
    private readonly inst: Installation,
    readonly cluster: Cluster,
  ) {}

  /** Everything up and ready, with two tenants and their houses. */
  static async open(options: StageOptions): Promise<Stage> {
    const inst = await Installation.create();
    try {
      const stage = new Stage(options, inst, await Cluster.start(inst.home));
      await stage.furnish();
      return stage;
    } catch (error) {
      await inst.dispose();
      throw error;
    }
  }

  get kafka(): boolean {
    return this.options.kafka;
  }

  get apis(): Member[] {
    return this.members.filter(({ kind }) => kind === 'api');
  }

  get workers(): Member[] {
    return this.members.filter(({ kind }) => kind === 'worker');
  }

  /** Whether all that should run do run. */
  get complete(): boolean {
    const { apis, workers } = this.options;
    return (
      this.apis.filter(({ up }) => up).length === apis &&
      this.workers.filter(({ up }) => up).length >= workers
    );
  }

  /** Runs `tartware …` as an operator would, past every proxy; answers what it printed. @throws Error unless its exit code is 0 */
  tartware(...args: string[]): Promise<unknown> {
    return this.inst.json(args, this.databaseEnv(this.cluster.port, null));
  }

  /** Kills the broker as a power cut does, and starts it on the same data. Resolves when it is ready. */
  async restartBroker(): Promise<void> {
    await this.broker!.kill();
    this.broker = await startBroker(this.place!);
  }

  /** Ends all, removes all. */
  async close(): Promise<void> {
    await this.log?.close().catch(() => undefined);
    await Promise.all(this.members.map((member) => member.kill(false)));
    await this.logPool?.end().catch(() => undefined);
    await this.broker?.kill();
    await this.cluster.stop().catch(() => undefined);
    await Promise.all(this.proxies.map((proxy) => proxy.close()));
    await this.inst.dispose();
  }

  private async furnish(): Promise<void> {
    const { apis, workers } = this.options;
    const brokerRoutes = this.kafka ? await this.openBroker() : null;
    const names = [
      ...Array.from({ length: apis }, (_, n) => ['api', n] as const),
      ...Array.from({ length: MOST_WORKERS }, (_, n) => ['worker', n] as const),
    ];
    for (const [kind, n] of names) {
      const database = await this.proxy(`${kind}-${n}/database`, this.cluster.port);
      const broker = kind === 'worker' ? (brokerRoutes?.[n] ?? null) : null;
      const env = this.environment(kind, database, broker);
      this.members.push(new Member(`${kind}-${n}`, kind, this.inst, env, database, broker));
    }
    this.log = this.openLog();
    // Everything at once: half a dozen starts of Node are what a drill's first seconds go to.
    await Promise.all([
      ...this.apis.map((member) => member.start()),
      ...this.workers.slice(0, workers).map((member) => member.start()),
      this.makeDesks(),
    ]);
  }

  /** One after the other: the first token makes the keys. */
  private async makeDesks(): Promise<void> {
    const env = this.databaseEnv(this.cluster.port, null);
    for (let n = 0; n < TENANTS; n += 1) {
      const house = await createHouse(this.cluster.urls, { rooms: 40, types: 3, nights: 120 });
      const args = ['token', 'issue', '--tenant', house.tenantCode, '--subject', 'faults', '--ttl', '30d'];
      const { token } = await this.inst.json<{ token: string }>(args, env);
      this.desks.push({ house, token });
    }
  }

  private async proxy(name: string, target: number): Promise<FaultProxy> {
    const proxy = await FaultProxy.open(name, target);
    this.proxies.push(proxy);
    return proxy;
  }

  /** A listener for each worker, each advertised as its own proxy; and one for the drill itself, which nothing disturbs. */
  private async openBroker(): Promise<FaultProxy[]> {
    const [port, controllerPort] = [await freePort(), await freePort()];
    const listeners = [`PLAINTEXT://127.0.0.1:${port}`];
    const advertised = [...listeners];
    const protocols = ['PLAINTEXT:PLAINTEXT', 'CONTROLLER:PLAINTEXT'];
    const routes: FaultProxy[] = [];
    for (let n = 0; n < MOST_WORKERS; n += 1) {
      const own = await freePort();
      const route = await this.proxy(`worker-${n}/broker`, own);
      routes.push(route);
      listeners.push(`W${n}://127.0.0.1:${own}`);
      advertised.push(`W${n}://127.0.0.1:${route.port}`);
      protocols.push(`W${n}:PLAINTEXT`);
    }
    const overrides = {
      listeners: [...listeners, `CONTROLLER://127.0.0.1:${controllerPort}`].join(','),
      'advertised.listeners': advertised.join(','),
      'listener.security.protocol.map': protocols.join(','),
    };
    this.place = { dir: join(this.inst.home, 'broker'), port, controllerPort, overrides };
    this.broker = await startBroker(this.place);
    await this.inst.json(['topics', 'provision'], this.databaseEnv(this.cluster.port, this.broker.brokers));
    return routes;
  }

  private databaseEnv(port: number, brokers: string | null): Env {
    const through = (url: string): string => {
      const address = new URL(url);
      address.port = String(port);
      return address.toString();
    };
    const { appUrl, workerUrl } = this.cluster.urls;
    return {
      DATABASE_URL: through(appUrl),
      DATABASE_WORKER_URL: through(workerUrl),
      ...(brokers !== null && { KAFKA_BROKERS: brokers }),
      KAFKA_SESSION_TIMEOUT_MS: String(LEASE_MS),
      OUTBOX_LEASE_MS: String(LEASE_MS),
      LOG_LEVEL: 'warn',
    };
  }

  private environment(kind: string, database: FaultProxy, broker: FaultProxy | null): Env {
    return {
      ...this.databaseEnv(database.port, broker && `127.0.0.1:${broker.port}`),
      APP_MODE: kind,
    };
  }

  private openLog(): EventLog {
    if (this.broker) return new KafkaEventLog({ brokers: [this.broker.brokers], clientId: 'faults' });
    this.logPool = new pg.Pool({
      connectionString: this.cluster.urls.workerUrl,
      max: 4,
      query_timeout: 10_000,
    });
    this.logPool.on('error', () => undefined);
    return new PostgresEventLog(this.logPool, { pollMs: 50 });
  }
}

/** Waits until every wanted process runs. */
export const whenComplete = (stage: Stage): Promise<true> =>
  until('every process is up', async () => stage.complete, 120_000);
