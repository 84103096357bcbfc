import type { DynamicModule, Type } from '@nestjs/common';
import { DemoModule } from '../modules/demo/demo.module.js';
import { GuestsModule } from '../modules/guests/guests.module.js';
import { HealthModule } from '../modules/health/health.module.js';
import { IdentityModule } from '../modules/identity/identity.module.js';
import { ImportsModule } from '../modules/imports/imports.module.js';
import { InventoryModule } from '../modules/inventory/inventory.module.js';
import { LifecycleHttpModule, LifecycleModule } from '../modules/lifecycle/lifecycle.module.js';
import { OccupancyHttpModule } from '../modules/occupancy/occupancy.module.js';
import { limitEvents } from '../modules/outbox/contract/event-size.js';
import { OutboxNotifierModule } from '../modules/outbox/outbox.module.js';
import { PropertiesModule } from '../modules/properties/properties.module.js';
import { RatePlansModule } from '../modules/rate-plans/rate-plans.module.js';
import { ReservationsHttpModule, ReservationsModule } from '../modules/reservations/reservations.module.js';
import { TenantsModule } from '../modules/tenants/tenants.module.js';
import type { RuntimeNeeds } from '../platform/cli/runtime.js';
import type { AppConfig } from '../platform/config/config.js';
import type { DatabaseUrls } from '../platform/database/database.module.js';
import { HttpModule } from '../platform/http/http.module.js';
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

class Root {}

/** The composition of a mode: nothing but lists of modules. */
export async function rootModule(config: AppConfig, urls: DatabaseUrls): Promise<DynamicModule> {
  limitEvents(config.maxMessageBytes);
  const { mode } = config;
  const worker = mode === 'api' ? [] : (await import('./worker-modules.js')).workerModules(config);
  const api = mode === 'worker' ? [] : API;
  return {
    module: Root,
    imports: [PlatformModule.forRoot(config, urls), HttpModule, HealthModule, ...api, ...worker],
  };
}

/** The composition of the command line: handlers without HTTP, and the worker where a command needs it. */
export async function cliModule(
  config: AppConfig,
  urls: DatabaseUrls,
  needs: RuntimeNeeds,
): Promise<DynamicModule> {
  limitEvents(config.maxMessageBytes);
  const parts = [
    ...CATALOGUE,
    ReservationsModule,
    LifecycleModule,
    IdentityModule,
    DemoModule,
    ImportsModule,
  ];
  return {
    module: Root,
    imports: [PlatformModule.forRoot(config, urls), ...parts, ...(await acrossTenants(config, needs))],
  };
}

async function acrossTenants(config: AppConfig, needs: RuntimeNeeds): Promise<Parts> {
  if (!needs.worker && !needs.background) return [];
  const { backgroundModules, workerModules } = await import('./worker-modules.js');
  return needs.worker ? workerModules(config) : backgroundModules(config);
}
