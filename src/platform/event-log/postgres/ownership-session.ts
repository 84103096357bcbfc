import { createHash } from 'node:crypto';
import pg from 'pg';
import { LOG_CHANNEL } from './append-notifier.js';
import { NEXT_OFFSETS, TRY_LOCKS } from './statements.js';

/** Silence after which a query on the session counts as a dead connection, ms. */
const QUERY_TIMEOUT_MS = 10_000;

/** 64 bits of group, topic and partition: the advisory lock that stands for owning the partition in the group. */
export function lockKey(group: string, topic: string, partition: number): string {
  return createHash('sha256')
    .update(`tartware-log|${group}|${topic}|${partition}`)
    .digest()
    .readBigInt64BE()
    .toString();
}

/**
 * A connection of its own, outside the pool: its advisory locks are the subscription's partitions, and it listens for appends.
 * When it dies, by crash, network or `pg_terminate_backend`, PostgreSQL frees the locks, and `onLost` is called at once.
 * (Behind a transaction-pooling proxy session locks don't work: connect to PostgreSQL itself.)
 */
export class OwnershipSession {
  private readonly client: pg.Client;
  private lost: Error | null = null;

  constructor(
    pool: pg.Pool,
    private readonly group: string,
    private readonly topic: string,
    private readonly onLost: (error: Error) => void,
    onNotify: (payload: string) => void,
  ) {
    this.client = new pg.Client({
      ...connectionOptions(pool),
      keepAlive: true,
      query_timeout: QUERY_TIMEOUT_MS,
    });
    this.client.on('error', (error) => this.lose(error));
    this.client.on('end', () => this.lose(new Error('the connection that holds the partitions has ended')));
    this.client.on('notification', (message) => onNotify(message.payload ?? ''));
  }

  get alive(): boolean {
    return this.lost === null;
  }

  async connect(): Promise<void> {
    await this.client.connect();
    await this.client.query(`LISTEN ${LOG_CHANNEL}`);
  }

  /** Those of `partitions` that were free and are ours now. */
  async tryLock(partitions: readonly number[]): Promise<number[]> {
    const keys = partitions.map((partition) => lockKey(this.group, this.topic, partition));
    const { rows } = await this.client.query<{ partition: number }>({
      ...TRY_LOCKS,
      values: [partitions, keys],
    });
    return rows.map((row) => row.partition);
  }

  /** The next offset of each partition; the poll, and by the way the proof that the session lives. */
  async nextOffsets(): Promise<Map<number, bigint>> {
    const { rows } = await this.client.query<{ partition: number; next_offset: string }>({
      ...NEXT_OFFSETS,
      values: [this.topic],
    });
    return new Map(rows.map((row) => [row.partition, BigInt(row.next_offset)]));
  }

  /** @throws the reason why the session is lost */
  async check(): Promise<void> {
    if (this.lost) throw this.lost;
    try {
      await this.client.query('SELECT 1');
    } catch (error) {
      // Before the throw: a terminated backend answers with an error some moments before the connection ends, and whoever hears it
      // must find that nothing is live any more.
      this.lose(error as Error);
      throw error;
    }
  }

  /** Ends the session, which gives every partition back. */
  async close(): Promise<void> {
    this.lost ??= new Error('closed');
    await this.client.end().catch(() => undefined);
  }

  private lose(error: Error): void {
    if (this.lost) return;
    this.lost = error;
    this.onLost(error);
  }
}

/** The pool's own way of making a client, so that the session reaches the same database as the same role. */
function connectionOptions(pool: pg.Pool): pg.ClientConfig {
  // pg-pool hides the password from enumeration, so a plain spread would drop it.
  return { ...pool.options, password: pool.options.password };
}
