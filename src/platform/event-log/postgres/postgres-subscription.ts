import type { Subscription, SubscriptionStatus } from '../event-log.js';
import { backoffMs } from '../delivery/delivery.js';
import { Latch } from '../delivery/latch.js';
import { messageOf } from '../delivery/log-sink.js';
import { PartitionRunner, type RunnerContext } from '../delivery/partition-runner.js';
import type { AppendNotifier } from './append-notifier.js';
import type { OwnershipSession } from './ownership-session.js';

/** What a subscription needs besides a runner's context. */
export interface SubscriptionParts {
  readonly context: Omit<RunnerContext, 'failed' | 'heartbeat'>;
  readonly partitions: number;
  readonly pollMs: number;
  readonly notifier: AppendNotifier;
  readonly openSession: (onLost: (error: Error) => void) => OwnershipSession;
}

/**
 * Holds as many free partitions as there are, reads them as appends are told of, and looks again every `pollMs` in any
 * case. A lost session revokes everything at once; the subscription then begins anew, after a back-off, until `stop`.
 */
export class PostgresSubscription implements Subscription {
  private readonly runners = new Map<number, PartitionRunner>();
  private readonly tick = new Latch();
  private readonly context: RunnerContext;
  private session: OwnershipSession | null = null;
  private connected = false;
  private stopping = false;
  private restarts = 0;
  private failures = 0;
  private lastError: string | null = null;
  private loop: Promise<void> = Promise.resolve();
  private unlisten: () => void = () => undefined;

  constructor(private readonly parts: SubscriptionParts) {
    this.context = {
      ...parts.context,
      failed: (error) => (this.lastError = messageOf(error)),
      heartbeat: async () => this.session?.check(),
    };
  }

  /** Resolves after the first look for free partitions, whether it succeeded or not. */
  async start(): Promise<this> {
    this.unlisten = this.parts.notifier.listen(this.context.options.topic, (partitions) => {
      for (const partition of partitions) this.runners.get(partition)?.wake();
    });
    const first = this.open();
    this.loop = first.then((opened) => this.supervise(opened));
    await first;
    return this;
  }

  status(): SubscriptionStatus {
    return {
      connected: this.connected,
      partitions: [...this.runners.keys()].sort((a, b) => a - b),
      restarts: this.restarts,
      lastError: this.lastError,
    };
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.tick.wake();
    await this.loop;
  }

  private async supervise(opened: boolean): Promise<void> {
    for (let up = opened; !this.stopping; up = await this.open()) {
      if (up) await this.poll();
      if (this.stopping) break;
      await this.giveUp();
      this.restarts += 1;
      await this.tick.wait(backoffMs(this.parts.context.timing, this.failures++));
    }
    // By themselves, not by the session's end: the batches in hand finish as the owners that they are.
    await Promise.all([...this.runners.values()].map((runner) => runner.release()));
    await this.giveUp();
    this.unlisten();
  }

  /** A session and a first look; false when the database is away. */
  private async open(): Promise<boolean> {
    const session = this.parts.openSession((error) => this.lost(session, error));
    this.session = session;
    try {
      await session.connect();
      // Before the first look, which sets partitions going: a consumer that delivers must not read as unready.
      this.connected = true;
      await this.look(session);
      this.failures = 0;
      return true;
    } catch (error) {
      this.lost(session, error);
      return false;
    }
  }

  /** Looks every pollMs until the session is lost or `stop` is called. */
  private async poll(): Promise<void> {
    const session = this.session;
    while (session && this.connected && !this.stopping) {
      await this.tick.wait(this.parts.pollMs);
      if (!this.connected || this.stopping) return;
      try {
        await this.look(session);
      } catch (error) {
        this.lost(session, error);
      }
    }
  }

  /** Takes what is free and wakes what has news. */
  private async look(session: OwnershipSession): Promise<void> {
    const missing = Array.from({ length: this.parts.partitions }, (_, partition) => partition).filter(
      (p) => !this.runners.has(p),
    );
    if (missing.length > 0) {
      const taken = await session.tryLock(missing);
      // Lost while the answer was on its way: `lost` has dropped the others and wouldn't see these.
      if (!session.alive) return;
      for (const partition of taken) {
        this.runners.set(partition, new PartitionRunner(partition, this.context).start());
      }
    }
    for (const [partition, next] of await session.nextOffsets()) {
      const runner = this.runners.get(partition);
      if (runner && runner.position !== next) runner.wake();
    }
  }

  /** From this call on no batch is live: PostgreSQL may have given the locks to somebody else already. */
  private lost(session: OwnershipSession, error: unknown): void {
    if (this.session !== session) return;
    if (!this.stopping) {
      this.lastError = messageOf(error);
      this.parts.context.sink.warn(
        `event log ${this.context.options.topic}, group ${this.context.options.group}: partitions lost, beginning anew: ${this.lastError}`,
      );
    }
    this.connected = false;
    for (const runner of this.runners.values()) void runner.drop();
    this.tick.wake();
  }

  private async giveUp(): Promise<void> {
    await Promise.all([...this.runners.values()].map((runner) => runner.drop()));
    this.runners.clear();
    this.connected = false;
    const session = this.session;
    this.session = null;
    await session?.close();
  }
}
