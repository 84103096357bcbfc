import { randomBytes } from 'node:crypto';
import type pg from 'pg';

/** The channel of `LISTEN`; a payload is `<instance> <topic> <partition>,<partition>…`. */
export const LOG_CHANNEL = 'tartware_log';

/** NOTIFYs of one process are at least this far apart: each takes a lock that all committing notifiers share. */
const GAP_MS = 4;

type Listener = (partitions: readonly number[]) => void;

/**
 * Tells of appends: at once within this process, by NOTIFY to others, after the commit and a few at a time. Only a hint, polling is the truth,
 * so a lost one costs a poll's wait and no record.
 */
export class AppendNotifier {
  private readonly instance = randomBytes(6).toString('hex');
  private readonly listeners = new Map<string, Set<Listener>>();
  private readonly pending = new Map<string, Set<number>>();
  private timer: NodeJS.Timeout | null = null;
  private sending: Promise<unknown> = Promise.resolve();
  private lastSent = 0;
  private closed = false;

  constructor(private readonly pool: pg.Pool) {}

  appended(topic: string, partitions: readonly number[]): void {
    const pending = this.pending.get(topic) ?? new Set();
    for (const partition of partitions) pending.add(partition);
    this.pending.set(topic, pending);
    this.tell(topic, partitions);
    if (this.timer || this.closed) return;
    this.timer = setTimeout(() => this.send(), Math.max(this.lastSent + GAP_MS - Date.now(), 0));
  }

  /** A notification from PostgreSQL. Our own are ignored: they were told in the process already. */
  received(payload: string): void {
    const [instance, topic, partitions] = payload.split(' ');
    if (instance !== this.instance && topic && partitions)
      this.tell(topic, partitions.split(',').map(Number));
  }

  listen(topic: string, listener: Listener): () => void {
    const listeners = this.listeners.get(topic) ?? new Set();
    listeners.add(listener);
    this.listeners.set(topic, listeners);
    return () => listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.closed = true;
    if (this.timer) {
      clearTimeout(this.timer);
      this.send();
    }
    await this.sending;
  }

  private tell(topic: string, partitions: readonly number[]): void {
    for (const listener of this.listeners.get(topic) ?? []) listener(partitions);
  }

  private send(): void {
    this.timer = null;
    this.lastSent = Date.now();
    const payloads = [...this.pending].map(
      ([topic, partitions]) => `${this.instance} ${topic} ${[...partitions].join(',')}`,
    );
    this.pending.clear();
    this.sending = this.pool
      .query('SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload', [LOG_CHANNEL, payloads])
      .catch(() => undefined);
  }
}
