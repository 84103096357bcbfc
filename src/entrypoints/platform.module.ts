import { Global, Module, type DynamicModule } from '@nestjs/common';
import { LoggerModule } from 'nestjs-pino';
import type { AppConfig } from '../platform/config/config.js';
import { APP_CONFIG } from '../platform/config/config.token.js';
import { DatabaseModule, type DatabaseUrls } from '../platform/database/database.module.js';
import { Clock, SystemClock } from '../platform/kernel/clock.js';
import { ServiceLogger } from '../platform/observability/service-logger.js';
import { loggingParams } from '../platform/observability/logging.js';
import { WorkerModule } from '../platform/worker/worker.module.js';
import { ENTITIES } from './entities.js';

/** What every process has: configuration, clock, log, database. */
@Global()
@Module({})
export class PlatformModule {
  static forRoot(config: AppConfig, urls: DatabaseUrls): DynamicModule {
    return {
      module: PlatformModule,
      imports: [
        LoggerModule.forRoot(loggingParams(config)),
        WorkerModule,
        DatabaseModule.forRoot(config, urls, ENTITIES),
      ],
      providers: [
        { provide: APP_CONFIG, useValue: config },
        { provide: Clock, useClass: SystemClock },
        ServiceLogger,
      ],
      exports: [APP_CONFIG, Clock, ServiceLogger],
    };
  }
}
