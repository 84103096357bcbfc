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
import { EventLog } from '../../platform/event-log/event-log.js';
import { LoopRegistry } from '../../platform/worker/loop-registry.js';
import { FlowAuditor } from './auditor/flow-auditor.js';
import { Resumer } from './auditor/resumer.js';

const readerOf = ({ consumerGroup, topic }: AppConfig) => ({ group: consumerGroup, topic });

const resumer = {
  provide: Resumer,
  useFactory: (work: BackgroundWork, log: EventLog, config: AppConfig) =>
    new Resumer(
      work,
      log,
      { ...readerOf(config), publishedStallMs: config.lifecyclePublishedStallMs },
      new Logger('Lifecycle'),
    ),
  inject: [BackgroundWork, EventLog, APP_CONFIG],
};

const auditor = {
  provide: FlowAuditor,
  useFactory: (work: BackgroundWork, log: EventLog, config: AppConfig) =>
    new FlowAuditor(
      work,
      log,
      {
        ...readerOf(config),
        persistedStallMs: config.lifecyclePersistedStallMs,
        publishedStallMs: config.lifecyclePublishedStallMs,
        maxResumes: config.lifecycleMaxResumes,
      },
      new Logger('Lifecycle'),
    ),
  inject: [BackgroundWork, EventLog, APP_CONFIG],
};

/** Does what is asked for, when it is told to: for the CLI. Needs an event log, and the background role. */
@Module({ providers: [resumer], exports: [Resumer] })
export class LifecycleResumerModule {}

const AUDIT = 'lifecycle.audit';

/** Runs the auditor and the resumer as long as the application. */
@Injectable()
class LifecycleLoops implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    @Inject(FlowAuditor) private readonly auditor: FlowAuditor,
    @Inject(Resumer) private readonly resumer: Resumer,
    @Inject(SchedulerRegistry) private readonly scheduler: SchedulerRegistry,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    @Inject(LoopRegistry) loops: LoopRegistry,
  ) {
    loops.add(auditor.loop);
    loops.add(resumer.loop);
  }

  onApplicationBootstrap(): void {
    this.auditor.loop.start();
    this.resumer.loop.start();
    this.scheduler.addInterval(
      AUDIT,
      setInterval(() => this.auditor.loop.wake(), this.config.lifecycleAuditIntervalMs),
    );
  }

  async beforeApplicationShutdown(): Promise<void> {
    if (this.scheduler.doesExist('interval', AUDIT)) this.scheduler.deleteInterval(AUDIT);
    await Promise.all([this.auditor.loop.stop(), this.resumer.loop.stop()]);
  }
}

/** Worker: finds what stands still, and does what operators ask for. Needs ScheduleModule.forRoot() in the root. */
@Module({
  imports: [LifecycleResumerModule],
  providers: [auditor, LifecycleLoops],
  exports: [FlowAuditor, LifecycleResumerModule],
})
export class LifecycleWorkerModule {}
