import { Injectable } from '@nestjs/common';
import { MoreThan } from 'typeorm';
import type { OpContext } from '../../../platform/context/op-context.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { decodeCursor, pageOf, type Page, type PageQuery } from '../../../platform/http/pagination.js';
import { tenantId } from '../../../platform/kernel/ids.js';
import { requirePlatform } from '../commands/platform-only.js';
import { findTenant } from '../persistence/tenant-rows.js';
import { TenantEntity } from '../persistence/tenant.entity.js';
import { tenantView, type TenantView } from './tenant-view.js';

/** Reads of tenants. */
@Injectable()
export class TenantQueries {
  constructor(private readonly uow: UnitOfWork) {}

  /** The caller's own tenant. @throws DomainError TENANT_NOT_FOUND (404) */
  own(ctx: OpContext): Promise<TenantView> {
    return this.uow.run(ctx, 'tenant.own', async (tx) => tenantView(await findTenant(tx)));
  }

  /** Any tenant, for the platform. @throws DomainError PERMISSION_DENIED (403), TENANT_NOT_FOUND (404) */
  async get(ctx: OpContext, id: string): Promise<TenantView> {
    requirePlatform(ctx);
    return this.uow.run({ tenantId: tenantId(id) }, 'tenant.get', async (tx) =>
      tenantView(await findTenant(tx)),
    );
  }

  /** By code, for the platform. @throws DomainError PERMISSION_DENIED (403), CURSOR_INVALID (400) */
  async list(ctx: OpContext, { limit, cursor }: PageQuery): Promise<Page<TenantView>> {
    requirePlatform(ctx);
    const after = decodeCursor(cursor, ['text'])?.[0];
    return this.uow.run(ctx, 'tenant.list', async (tx) => {
      // The one read without a tenant in its condition: the policy opens this list to the platform alone.
      const rows = await tx.entities.find(TenantEntity, {
        where: after === undefined ? {} : { code: MoreThan(after) },
        order: { code: 'ASC' },
        take: limit + 1,
      });
      return pageOf(rows, limit, (row) => [row.code], tenantView);
    });
  }
}
