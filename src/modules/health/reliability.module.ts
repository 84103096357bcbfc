import {
  Inject,
  Injectable,
  Logger,
  Module,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { AppConfig } from '../../platform/config/config.js';
import { APP_CONFIG } from '../../platform/config/config.token.js';
import { BackgroundWork, UnitOfWork } from '../../platform/database/unit-of-work.js';
import { EventLog } from '../../platform/event-log/event-log.js';
import { LoopRegistry } from '../../platform/worker/loop-registry.js';
import { ReliabilityMonitor } from './reliability/reliability-monitor.js';

const monitor = {
  provide: ReliabilityMonitor,
  useFactory: (uow: UnitOfWork, work: BackgroundWork, log: EventLog, config: AppConfig) =>
    new ReliabilityMonitor(
      { uow, work, log },
      { group: config.consumerGroup, topic: config.topic },
      new Logger('Reliability'),
    ),
  inject: [UnitOfWork, BackgroundWork, EventLog, APP_CONFIG],
};

/** Runs the monitor as long as the application. */
@Injectable()
class MonitorLife implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    @Inject(ReliabilityMonitor) private readonly monitor: ReliabilityMonitor,
    @Inject(LoopRegistry) loops: LoopRegistry,
  ) {
    loops.add(monitor.loop);
  }

  onApplicationBootstrap(): void {
    this.monitor.loop.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.monitor.loop.stop();
  }
}

/** Worker: measures what /health/reliability tells. */
@Module({ providers: [monitor, MonitorLife], exports: [ReliabilityMonitor] })
export class ReliabilityWorkerModule {}
