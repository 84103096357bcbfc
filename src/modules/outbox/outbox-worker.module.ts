import {
  Inject,
  Injectable,
  Logger,
  Module,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import type { AppConfig } from '../../platform/config/config.js';
import { APP_CONFIG } from '../../platform/config/config.token.js';
import { BackgroundWork } from '../../platform/database/unit-of-work.js';
import { ChannelListener } from '../../platform/database/channel-listener.js';
import { EventLog } from '../../platform/event-log/event-log.js';
import { LoopRegistry } from '../../platform/worker/loop-registry.js';
import { onEventsCommitted } from './contract/append-changes.js';
import { OutboxRelay } from './relay/outbox-relay.js';
import { commitListener } from './wake-up/commit-signal.js';

const SWEEP = 'outbox.sweep';

const relay = {
  provide: OutboxRelay,
  useFactory: (work: BackgroundWork, log: EventLog, config: AppConfig) =>
    new OutboxRelay(
      work,
      log,
      {
        topic: config.topic,
        leaseMs: config.outboxLeaseMs,
        sweepIntervalMs: config.outboxSweepIntervalMs,
        batchSize: config.outboxBatchSize,
        retryScheduleMs: config.outboxRetryScheduleMs,
      },
      new Logger('Outbox'),
    ),
  inject: [BackgroundWork, EventLog, APP_CONFIG],
};

/** Runs the relay and its wake-ups as long as the application. */
@Injectable()
class OutboxWorker implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly listener: ChannelListener | null;
  private deafen: (() => void) | null = null;

  constructor(
    @Inject(OutboxRelay) private readonly relay: OutboxRelay,
    @Inject(SchedulerRegistry) private readonly scheduler: SchedulerRegistry,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    @Inject(LoopRegistry) loops: LoopRegistry,
  ) {
    // Embedded, API and worker are one process: nobody is there to be heard. Through a pooler nobody can be.
    this.listener =
      config.databaseWorkerUrl && !config.databasePooled
        ? commitListener(config.databaseWorkerUrl, () => relay.wake(), new Logger('Outbox'))
        : null;
    const own = [...relay.loops, ...(this.listener ? [this.listener.loop] : [])];
    for (const loop of own) loops.add(loop);
  }

  onApplicationBootstrap(): void {
    this.relay.start();
    this.listener?.start();
    this.deafen = onEventsCommitted(() => this.relay.wake());
    // The safety net: were every wake-up lost, events still leave within this time.
    this.scheduler.addInterval(
      SWEEP,
      setInterval(() => this.relay.wake(), this.config.outboxSweepIntervalMs),
    );
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.deafen?.();
    if (this.scheduler.doesExist('interval', SWEEP)) this.scheduler.deleteInterval(SWEEP);
    await this.listener?.stop();
    await this.relay.stop();
  }
}

/** Worker: brings committed events into the log. Needs ScheduleModule.forRoot() in the root. */
@Module({ providers: [relay, OutboxWorker], exports: [OutboxRelay] })
export class OutboxWorkerModule {}
