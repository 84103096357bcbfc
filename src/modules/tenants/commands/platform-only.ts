import { requirePermission, type OpContext } from '../../../platform/context/op-context.js';
import type { Claim } from '../../../platform/database/idempotency.js';
import { DomainError } from '../../../platform/kernel/errors.js';
import { PLATFORM_TENANT_ID } from '../../../platform/kernel/ids.js';

/**
 * The list of tenants is the platform's own: a tenant's token doesn't reach it, whatever permissions it carries.
 * @throws DomainError PERMISSION_DENIED (403)
 */
export function requirePlatform(ctx: OpContext): void {
  requirePermission(ctx, 'platform:tenants');
  if (ctx.tenantId !== PLATFORM_TENANT_ID)
    throw new DomainError('PERMISSION_DENIED', 'AUTHZ', "This needs a token of the platform's own tenant.");
}

/** In a tenant's scope a principal of the platform's must not pass for one of the tenant's with the same name. */
export const platformClaim = (claim: Claim): Claim => ({
  ...claim,
  principal: `platform:${claim.principal}`,
});
