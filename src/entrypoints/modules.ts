import type { DynamicModule, Type } from '@nestjs/common';
import { ConsumerModule } from '../modules/consumer/consumer.module.js';
import { DemoModule } from '../modules/demo/demo.module.js';
import { GuestsModule } from '../modules/guests/guests.module.js';
import { HealthModule, ReliabilityWorkerModule } from '../modules/health/health.module.js';
import { IdentityModule } from '../modules/identity/identity.module.js';
import { ImportsModule } from '../modules/imports/imports.module.js';
import { InventoryModule } from '../modules/inventory/inventory.module.js';
import {
  LifecycleHttpModule,
  LifecycleModule,
  LifecycleResumerModule,
  LifecycleWorkerModule,
} from '../modules/lifecycle/lifecycle.module.js';
import { MaintenanceModule } from '../modules/maintenance/maintenance.module.js';
import { OccupancyHttpModule, OccupancyWorkerModule } from '../modules/occupancy/occupancy.module.js';
import { limitEvents } from '../modules/outbox/contract/event-size.js';
import { OutboxNotifierModule, OutboxWorkerModule } from '../modules/outbox/outbox.module.js';
import { PropertiesModule } from '../modules/properties/properties.module.js';
import { RatePlansModule } from '../modules/rate-plans/rate-plans.module.js';
import {
  ReservationsHttpModule,
  ReservationsModule,
  ReservationsWorkerModule,
} from '../modules/reservations/reservations.module.js';
import { TenantsModule } from '../modules/tenants/tenants.module.js';
import type { RuntimeNeeds } from '../platform/cli/runtime.js';
import type { AppConfig } from '../platform/config/config.js';
import type { DatabaseUrls } from '../platform/database/database.module.js';
import { HttpModule } from '../platform/http/http.module.js';
import { EventLogModule } from './event-log.module.js';
import { PlatformModule } from './platform.module.js';

type Parts = (Type | DynamicModule)[];

/** The nouns of the catalogue; their modules bring their own doors. */
const CATALOGUE: Parts = [TenantsModule, PropertiesModule, InventoryModule, RatePlansModule, GuestsModule];

const API: Parts = [
  ...CATALOGUE,
  ReservationsHttpModule,
  OccupancyHttpModule,
  LifecycleHttpModule,
  OutboxNotifierModule,
  IdentityModule,
  DemoModule,
];

const worker = (config: AppConfig): Parts => [
  EventLogModule.forRoot(config),
  OutboxWorkerModule,
  ConsumerModule,
  OccupancyWorkerModule,
  ReservationsWorkerModule,
  LifecycleWorkerModule,
  ReliabilityWorkerModule,
  MaintenanceModule,
];

class Root {}

/** The composition of a mode: nothing but lists of modules. */
export function rootModule(config: AppConfig, urls: DatabaseUrls): DynamicModule {
  limitEvents(config.maxMessageBytes);
  const parts = { api: API, worker: worker(config), all: [...API, ...worker(config)] }[config.mode];
  return {
    module: Root,
    imports: [PlatformModule.forRoot(config, urls), HttpModule, HealthModule, ...parts],
  };
}

/** What a command needs that works across tenants, where no loop runs. */
const background = (config: AppConfig): Parts => [EventLogModule.forRoot(config), LifecycleResumerModule];

/** The composition of the command line: handlers without HTTP, and the worker where a command needs it. */
export function cliModule(config: AppConfig, urls: DatabaseUrls, needs: RuntimeNeeds): DynamicModule {
  limitEvents(config.maxMessageBytes);
  const parts = [
    ...CATALOGUE,
    ReservationsModule,
    LifecycleModule,
    IdentityModule,
    DemoModule,
    ImportsModule,
  ];
  const more = needs.worker ? worker(config) : needs.background ? background(config) : [];
  return {
    module: Root,
    imports: [PlatformModule.forRoot(config, urls), ...parts, ...more],
  };
}
