import type { Subscription, SubscriptionStatus } from '../event-log.js';
import { backoffMs } from '../delivery/delivery.js';
import { Latch } from '../delivery/latch.js';
import { messageOf } from '../delivery/log-sink.js';
import { KafkaConsumerSession, type SessionContext } from './kafka-consumer-session.js';

/**
 * Keeps one consumer alive: a broker that was killed and restarted makes kafkajs's consumer crash for good, so after each crash another
 * is made, with a bounded back-off, until `stop`.
 */
export class KafkaSubscription implements Subscription {
  private readonly stopped = new Latch();
  private readonly context: SessionContext;
  private session: KafkaConsumerSession | null = null;
  private stopping = false;
  private restarts = 0;
  private lastError: string | null = null;
  private loop: Promise<void> = Promise.resolve();

  constructor(context: Omit<SessionContext, 'failed'>) {
    this.context = { ...context, failed: (error) => (this.lastError = messageOf(error)) };
  }

  /** The topic that keeps this subscription's group busy; null once stopped. */
  topicOf(group: string): string | null {
    const { options } = this.context;
    return options.group === group && !this.stopping ? options.topic : null;
  }

  /** Resolves after the first try to join, whether it succeeded or not: a broker that is away now is waited for. */
  async start(): Promise<this> {
    await new Promise<void>((tried, refuse) => {
      this.loop = this.supervise(tried);
      // Only a configuration that makes no consumer at all gets here.
      this.loop.catch(refuse);
    });
    return this;
  }

  status(): SubscriptionStatus {
    return {
      connected: this.session?.connected ?? false,
      partitions: (this.session?.held() ?? []).sort((a, b) => a - b),
      restarts: this.restarts,
      lastError: this.lastError,
    };
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.stopped.wake();
    await this.loop;
  }

  private async supervise(tried: () => void): Promise<void> {
    let failures = 0;
    while (!this.stopping) {
      const session = new KafkaConsumerSession(this.context);
      this.session = session;
      try {
        const starting = session.start();
        // Stopped in the midst of a join, which takes as long as the other members like.
        starting.catch(() => undefined);
        await Promise.race([starting, this.stopped.wait()]);
        tried();
        if (session.connected) failures = 0;
        if (!this.stopping)
          await Promise.race([this.stopped.wait(), session.crashed.then((error) => Promise.reject(error))]);
      } catch (error) {
        this.lastError = messageOf(error);
        this.report();
      }
      await session.close();
      this.session = null;
      tried();
      if (this.stopping) return;
      this.restarts += 1;
      await this.stopped.wait(backoffMs(this.context.timing, failures++));
    }
  }

  private report(): void {
    const { options, settings } = this.context;
    settings.sink.warn(
      `event log ${options.topic}, group ${options.group}: the consumer died, making another: ${this.lastError}`,
    );
  }
}
