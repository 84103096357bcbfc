import { Module } from '@nestjs/common';
import { ChangeTenant } from './commands/change-tenant/change-tenant.js';
import { CreateTenant } from './commands/create-tenant/create-tenant.js';
import { OwnTenantController } from './http/own-tenant.controller.js';
import { SystemTenantController } from './http/system-tenant.controller.js';
import { TenantQueries } from './queries/tenant-queries.js';

/** Tenants: hotel groups on the platform. */
@Module({
  controllers: [SystemTenantController, OwnTenantController],
  providers: [CreateTenant, ChangeTenant, TenantQueries],
  exports: [CreateTenant, TenantQueries],
})
export class TenantsModule {}
