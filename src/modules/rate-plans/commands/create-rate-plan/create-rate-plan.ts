import { Injectable } from '@nestjs/common';
import type { OpContext } from '../../../../platform/context/op-context.js';
import { runOnce, type Claim, type StoredAnswer } from '../../../../platform/database/idempotency.js';
import { UnitOfWork } from '../../../../platform/database/unit-of-work.js';
import { answer } from '../../../../platform/http/answer.js';
import { newId } from '../../../../platform/kernel/ids.js';
import { appendChanges } from '../../../outbox/contract/append-changes.js';
import { propertyById } from '../../../properties/contract/property-lookup.js';
import { findRatePlan, planCreated, refuseTakenCode } from '../../persistence/rate-plan-rows.js';
import { RatePlanEntity } from '../../persistence/rate-plan.entity.js';
import { ratePlanView } from '../../queries/rate-plan-views.js';

export interface CreateRatePlanInput {
  readonly propertyId: string;
  /** Unique in the property. */
  readonly code: string;
  readonly name: string;
}

/** Creates a rate plan, active and without prices. */
@Injectable()
export class CreateRatePlan {
  constructor(private readonly uow: UnitOfWork) {}

  /** Answers 201 with the plan. @throws DomainError PROPERTY_NOT_FOUND (404), RATE_PLAN_CODE_TAKEN (409) */
  execute(ctx: OpContext, input: CreateRatePlanInput, claim: Claim | null): Promise<StoredAnswer> {
    const ratePlanId = newId();
    return runOnce(this.uow, ctx, 'rate_plan.create', claim, async (tx) => {
      const { propertyId } = await propertyById(tx, input.propertyId);
      const values = { propertyId, code: input.code, name: input.name, active: true };
      await tx.entities
        .insert(RatePlanEntity, { tenantId: tx.tenantId, ratePlanId, ...values, version: 1 })
        .catch(refuseTakenCode);
      const row = await findRatePlan(tx, propertyId, ratePlanId);
      await appendChanges(tx, ctx, [planCreated(row)]);
      return answer(201, ratePlanView(row), {
        etag: 1,
        location: `/v1/properties/${propertyId}/rate-plans/${ratePlanId}`,
        correlationId: ctx.correlationId,
      });
    });
  }
}
