import { sql } from '../../../platform/database/sql.js';
import { violatedConstraint } from '../../../platform/database/sqlstate.js';
import type { Tx } from '../../../platform/database/unit-of-work.js';
import { conflict, notFound } from '../../../platform/kernel/errors.js';
import { TenantEntity } from './tenant.entity.js';

const LOCK = sql('tenants.lock', `SELECT 1 FROM tenants WHERE tenant_id = $1 FOR NO KEY UPDATE`);

/** The tenant of the transaction's scope. @throws DomainError TENANT_NOT_FOUND (404) */
export async function findTenant(tx: Tx): Promise<TenantEntity> {
  const row = await tx.entities.findOneBy(TenantEntity, { tenantId: tx.tenantId });
  if (!row) throw notFound('tenant');
  return row;
}

/** The tenant of the transaction's scope, locked for a change. @throws DomainError TENANT_NOT_FOUND (404) */
export async function lockTenant(tx: Tx): Promise<TenantEntity> {
  await tx.query(LOCK, [tx.tenantId]);
  return findTenant(tx);
}

/** @throws DomainError TENANT_CODE_TAKEN (409) */
export function refuseTakenCode(error: unknown): never {
  if (violatedConstraint(error) === 'tenants_code_key')
    throw conflict('TENANT_CODE_TAKEN', 'Another tenant has this code.');
  throw error;
}
