import pg from 'pg';
import { type LoopLog, WorkerLoop } from '../worker/loop.js';

const CHECK_INTERVAL_MS = 10_000;

/** What to listen to, and who asks. */
export interface ChannelOptions {
  /** An SQL identifier. */
  readonly channel: string;
  /** Name of the loop. */
  readonly name: string;
}

/**
 * Calls `heard` on every NOTIFY of a channel. LISTEN holds a session, so it has a connection of its own, which a loop opens,
 * and opens again whenever it drops. Behind a pooler in transaction mode it hears nothing: whoever listens polls as well.
 */
export class ChannelListener {
  readonly loop: WorkerLoop;
  private client: pg.Client | null = null;

  constructor(
    private readonly databaseUrl: string,
    private readonly options: ChannelOptions,
    private readonly heard: () => void,
    log: LoopLog,
  ) {
    this.loop = new WorkerLoop(
      { name: options.name, intervalMs: CHECK_INTERVAL_MS, maxBackoffMs: 5_000 },
      () => this.listen(),
      log,
    );
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
    await this.drop();
  }

  /** Opens the connection, or asks the open one for a sign of life: a half-open socket hears nothing for ever. */
  private async listen(): Promise<boolean> {
    try {
      if (this.client) await this.client.query('SELECT 1');
      else this.client = await this.open();
    } catch (error) {
      await this.drop();
      throw error;
    }
    return false;
  }

  private async open(): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: this.databaseUrl,
      application_name: 'tartware-listen',
      connectionTimeoutMillis: 5_000,
      query_timeout: 5_000,
      keepAlive: true,
    });
    client.on('notification', () => this.heard());
    client.on('error', () => undefined);
    client.on('end', () => {
      if (this.client !== client) return;
      this.client = null;
      this.loop.wake();
    });
    await client.connect();
    await client.query(`LISTEN ${this.options.channel}`);
    // What was committed before the LISTEN was not heard.
    this.heard();
    return client;
  }

  private async drop(): Promise<void> {
    const client = this.client;
    this.client = null;
    await client?.end().catch(() => undefined);
  }
}
