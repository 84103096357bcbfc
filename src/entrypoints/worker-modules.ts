import type { DynamicModule, INestApplication, Type } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { ConsumerModule } from '../modules/consumer/consumer.module.js';
import { SubscriptionHealth } from '../modules/health/contract/subscription-health.js';
import { ReliabilityWorkerModule } from '../modules/health/reliability.module.js';
import {
  LifecycleResumerModule,
  LifecycleWorkerModule,
} from '../modules/lifecycle/lifecycle-worker.module.js';
import { MaintenanceModule } from '../modules/maintenance/maintenance.module.js';
import { OccupancyWorkerModule } from '../modules/occupancy/occupancy-worker.module.js';
import { OutboxWorkerModule } from '../modules/outbox/outbox-worker.module.js';
import { ReservationsWorkerModule } from '../modules/reservations/reservations-worker.module.js';
import type { AppConfig } from '../platform/config/config.js';
import { EventLogTransport } from '../platform/event-log/transport/event-log-transport.js';
import { EventLogModule, LogConnection } from './event-log.module.js';

// What only a worker needs, down to kafkajs: an API never loads it, which is a tenth of its start. (Nest's microservices it does:
// Nest itself loads them in every application.)

/** The loops. */
export const workerModules = (config: AppConfig): (Type | DynamicModule)[] => [
  ScheduleModule.forRoot(),
  EventLogModule.forRoot(config),
  OutboxWorkerModule,
  ConsumerModule,
  OccupancyWorkerModule,
  ReservationsWorkerModule,
  LifecycleWorkerModule,
  ReliabilityWorkerModule,
  MaintenanceModule,
];

/** What a command needs that works across tenants, where no loop runs. */
export const backgroundModules = (config: AppConfig): (Type | DynamicModule)[] => [
  EventLogModule.forRoot(config),
  LifecycleResumerModule,
];

/** Brings the worker to the event log; which need not be up. */
export async function connectWorker(app: INestApplication): Promise<void> {
  const transport = app.get(EventLogTransport);
  app.connectMicroservice({ strategy: transport });
  app.get(SubscriptionHealth).watch(() => transport.statuses());
  await app.get(LogConnection).start(app);
}
