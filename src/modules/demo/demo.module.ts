import { Module } from '@nestjs/common';
import { GuestsModule } from '../guests/guests.module.js';
import { InventoryModule } from '../inventory/inventory.module.js';
import { PropertiesModule } from '../properties/properties.module.js';
import { RatePlansModule } from '../rate-plans/rate-plans.module.js';
import { TenantsModule } from '../tenants/tenants.module.js';
import { SeedDemo } from './commands/seed-demo.js';

/** A house to try things in. */
@Module({
  imports: [TenantsModule, PropertiesModule, InventoryModule, RatePlansModule, GuestsModule],
  providers: [SeedDemo],
  exports: [SeedDemo],
})
export class DemoModule {}
