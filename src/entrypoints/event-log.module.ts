import {
  Global,
  Logger,
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type INestApplication,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { reservationSubscription } from '../modules/consumer/consumer.module.js';
import type { AppConfig } from '../platform/config/config.js';
import { Databases } from '../platform/database/database.module.js';
import { EventLog } from '../platform/event-log/event-log.js';
import { EventLogTransport } from '../platform/event-log/transport/event-log-transport.js';
import { LoopRegistry } from '../platform/worker/loop-registry.js';
import { WorkerLoop } from '../platform/worker/loop.js';
import { openEventLog, topicsOf } from './event-log.js';

/**
 * Brings the worker to the log and back: topics, subscriptions. The log may be down at the start as at any time; bookings
 * wait in the outbox, the process serves its probes, and this goes on trying.
 */
export class LogConnection implements BeforeApplicationShutdown, OnApplicationShutdown {
  private readonly loop: WorkerLoop;
  private app: INestApplication | null = null;
  private connected = false;

  constructor(
    private readonly log: EventLog,
    private readonly config: AppConfig,
    loops: LoopRegistry,
  ) {
    this.loop = loops.add(
      new WorkerLoop(
        { name: 'event-log.connection', intervalMs: null, maxBackoffMs: 2_000 },
        () => this.connect(),
        new Logger('EventLog'),
      ),
    );
  }

  /** Begins to connect; resolves after the first try, whether it succeeded or not. */
  async start(app: INestApplication): Promise<void> {
    this.app = app;
    const tried = this.loop.nextRun();
    this.loop.start();
    await tried;
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.loop.stop();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.log.close();
  }

  private async connect(): Promise<boolean> {
    if (this.connected) return false;
    await this.log.provision(topicsOf(this.config));
    await this.app?.startAllMicroservices();
    this.connected = true;
    return false;
  }
}

/** The event log of this configuration, and the transport that brings its batches to the consumer. */
@Global()
@Module({})
export class EventLogModule {
  static forRoot(config: AppConfig): DynamicModule {
    return {
      module: EventLogModule,
      providers: [
        {
          provide: EventLog,
          useFactory: ({ background }: Databases) => openEventLog(config, background),
          inject: [Databases],
        },
        {
          provide: LogConnection,
          useFactory: (log: EventLog, loops: LoopRegistry) => new LogConnection(log, config, loops),
          inject: [EventLog, LoopRegistry],
        },
        {
          provide: EventLogTransport,
          useFactory: (log: EventLog) => new EventLogTransport(log, [reservationSubscription(config)]),
          inject: [EventLog],
        },
      ],
      exports: [EventLog, EventLogTransport, LogConnection],
    };
  }
}
