import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { OpContext } from '../../../../platform/context/op-context.js';
import { runOnce, type Claim, type StoredAnswer } from '../../../../platform/database/idempotency.js';
import { UnitOfWork } from '../../../../platform/database/unit-of-work.js';
import { answer } from '../../../../platform/http/answer.js';
import { newId, tenantId, type TenantId } from '../../../../platform/kernel/ids.js';
import { appendChanges } from '../../../outbox/contract/append-changes.js';
import { findTenant, refuseTakenCode } from '../../persistence/tenant-rows.js';
import { TenantEntity } from '../../persistence/tenant.entity.js';
import { tenantView } from '../../queries/tenant-view.js';
import { platformClaim, requirePlatform } from '../platform-only.js';

export interface CreateTenantInput {
  /** Unique on the platform. */
  readonly code: string;
  readonly name: string;
}

/**
 * Creates a tenant, in the scope of the tenant that it creates: its first event and audit row are its own, and the next
 * ones, whoever causes them, follow without a gap. The id is therefore known before the transaction: made of the claim,
 * so that a repeated request finds its kept answer in the same scope.
 */
@Injectable()
export class CreateTenant {
  constructor(private readonly uow: UnitOfWork) {}

  /** Answers 201 with the tenant. @throws DomainError PERMISSION_DENIED (403), TENANT_CODE_TAKEN (409) */
  execute(ctx: OpContext, { code, name }: CreateTenantInput, claim: Claim | null): Promise<StoredAnswer> {
    requirePlatform(ctx);
    const id = claim ? idOfClaim(claim) : tenantId(newId());
    return runOnce(this.uow, { tenantId: id }, 'tenant.create', claim && platformClaim(claim), async (tx) => {
      await tx.entities.insert(TenantEntity, { tenantId: id, code, name, version: 1 }).catch(refuseTakenCode);
      const row = await findTenant(tx);
      await appendChanges(tx, ctx, [
        {
          aggregateType: 'tenant',
          aggregateId: id,
          version: 1,
          type: 'tenant.created',
          data: { tenantId: id, code, name },
          changes: { code: [null, code], name: [null, name] },
        },
      ]);
      return answer(201, tenantView(row), {
        etag: 1,
        location: `/v1/system/tenants/${id}`,
        correlationId: ctx.correlationId,
      });
    });
  }
}

/** A UUIDv8 (RFC 9562, 5.8) of principal and key. */
function idOfClaim({ principal, key }: Claim): TenantId {
  const bytes = createHash('sha256').update(`tenant.create\n${principal}\n${key}`).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return tenantId(bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'));
}
