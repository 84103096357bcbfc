import { Injectable } from '@nestjs/common';
import type { OpContext } from '../../../../platform/context/op-context.js';
import { runOnce, type Claim, type StoredAnswer } from '../../../../platform/database/idempotency.js';
import { UnitOfWork } from '../../../../platform/database/unit-of-work.js';
import { answer } from '../../../../platform/http/answer.js';
import { patchOf } from '../../../../platform/http/patch.js';
import { requireVersion } from '../../../../platform/http/request.js';
import { tenantId } from '../../../../platform/kernel/ids.js';
import { appendChanges } from '../../../outbox/contract/append-changes.js';
import { findTenant, lockTenant, refuseTakenCode } from '../../persistence/tenant-rows.js';
import { TenantEntity } from '../../persistence/tenant.entity.js';
import { tenantView } from '../../queries/tenant-view.js';
import { platformClaim, requirePlatform } from '../platform-only.js';

export interface ChangeTenantInput {
  readonly tenantId: string;
  /** The version that the caller saw; null compares nothing. */
  readonly ifVersion: number | null;
  /** The platform alone changes it. */
  readonly code?: string;
  readonly name?: string;
}

/** Changes a tenant: the tenant itself its name, the platform its name and code. */
@Injectable()
export class ChangeTenant {
  constructor(private readonly uow: UnitOfWork) {}

  /**
   * Answers 200 with the tenant; a change to what is already so writes nothing. Runs in the tenant's own scope.
   * @throws DomainError PERMISSION_DENIED (403), TENANT_NOT_FOUND (404), TENANT_CODE_TAKEN (409), VERSION_STALE (412),
   *   PATCH_EMPTY (400)
   */
  execute(ctx: OpContext, input: ChangeTenantInput, claim: Claim | null): Promise<StoredAnswer> {
    const id = tenantId(input.tenantId);
    if (id !== ctx.tenantId || input.code !== undefined) requirePlatform(ctx);
    const ownClaim = claim && id !== ctx.tenantId ? platformClaim(claim) : claim;
    return runOnce(this.uow, { tenantId: id }, 'tenant.change', ownClaim, async (tx) => {
      const before = await lockTenant(tx);
      requireVersion(before.version, input.ifVersion);
      const patch = patchOf(before, input, ['code', 'name']);
      if (patch.fields.length === 0) return answer(200, tenantView(before), { etag: before.version });
      const version = before.version + 1;
      await tx.entities
        .update(
          TenantEntity,
          { tenantId: id, version: before.version },
          { ...patch.values, version, updatedAt: () => 'now()' },
        )
        .catch(refuseTakenCode);
      const row = await findTenant(tx);
      await appendChanges(tx, ctx, [
        {
          aggregateType: 'tenant',
          aggregateId: id,
          version,
          type: 'tenant.changed',
          data: { tenantId: id, code: row.code, name: row.name },
          changes: patch.changes,
        },
      ]);
      return answer(200, tenantView(row), { etag: version, correlationId: ctx.correlationId });
    });
  }
}
