import { Global, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { reservationSubscription } from '../modules/consumer/consumer.module.js';
import type { AppConfig } from '../platform/config/config.js';
import { Databases } from '../platform/database/database.module.js';
import { EventLog } from '../platform/event-log/event-log.js';
import { EventLogTransport } from '../platform/event-log/transport/event-log-transport.js';
import { openEventLog } from './event-log.js';

class LogCloser implements OnApplicationShutdown {
  constructor(private readonly log: EventLog) {}

  async onApplicationShutdown(): Promise<void> {
    await this.log.close();
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
        { provide: LogCloser, useFactory: (log: EventLog) => new LogCloser(log), inject: [EventLog] },
        {
          provide: EventLogTransport,
          useFactory: (log: EventLog) => new EventLogTransport(log, [reservationSubscription(config)]),
          inject: [EventLog],
        },
      ],
      exports: [EventLog, EventLogTransport],
    };
  }
}
