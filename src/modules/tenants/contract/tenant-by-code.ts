import type { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { notFound } from '../../../platform/kernel/errors.js';
import { PLATFORM_TENANT_ID, tenantId, type TenantId } from '../../../platform/kernel/ids.js';
import { TenantEntity } from '../persistence/tenant.entity.js';

/** What the command line needs of a tenant that it is given by code. */
export interface TenantRef {
  readonly tenantId: TenantId;
  readonly code: string;
  readonly name: string;
}

/**
 * A tenant by its code, read in the platform's scope: for operators only, never for a request of a tenant's.
 * @throws DomainError TENANT_NOT_FOUND (404)
 */
export async function tenantByCode(uow: UnitOfWork, code: string): Promise<TenantRef> {
  const row = await uow.run({ tenantId: PLATFORM_TENANT_ID }, 'tenant.by_code', (tx) =>
    tx.entities.findOneBy(TenantEntity, { code }),
  );
  if (!row) throw notFound('tenant');
  return { tenantId: tenantId(row.tenantId), code: row.code, name: row.name };
}
