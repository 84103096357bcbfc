import { Injectable } from '@nestjs/common';
import type { OpContext } from '../../../../platform/context/op-context.js';
import { runOnce, type Claim, type StoredAnswer } from '../../../../platform/database/idempotency.js';
import { UnitOfWork } from '../../../../platform/database/unit-of-work.js';
import { answer } from '../../../../platform/http/answer.js';
import { patchOf } from '../../../../platform/http/patch.js';
import { requireVersion } from '../../../../platform/http/request.js';
import { conflict } from '../../../../platform/kernel/errors.js';
import { appendChanges } from '../../../outbox/contract/append-changes.js';
import { isReserved } from '../../domain/reserved-plans.js';
import { lockRatePlan, ratePlanEvent, writeRatePlan } from '../../persistence/rate-plan-rows.js';
import { ratePlanView } from '../../queries/rate-plan-views.js';

export interface ChangeRatePlanInput {
  readonly propertyId: string;
  readonly ratePlanId: string;
  /** The version that the caller saw; null compares nothing. */
  readonly ifVersion: number | null;
  readonly code?: string;
  readonly name?: string;
  /** False: no new booking is priced by it. */
  readonly active?: boolean;
}

/** Renames a rate plan, or takes it out of sale. */
@Injectable()
export class ChangeRatePlan {
  constructor(private readonly uow: UnitOfWork) {}

  /**
   * Answers 200 with the plan; a change to what is already so writes nothing.
   * @throws DomainError RATE_PLAN_NOT_FOUND (404), RATE_PLAN_RESERVED, RATE_PLAN_CODE_TAKEN (409), VERSION_STALE (412),
   *   PATCH_EMPTY (400)
   */
  execute(ctx: OpContext, input: ChangeRatePlanInput, claim: Claim | null): Promise<StoredAnswer> {
    return runOnce(this.uow, ctx, 'rate_plan.change', claim, async (tx) => {
      const before = await lockRatePlan(tx, input.propertyId, input.ratePlanId);
      requireVersion(before.version, input.ifVersion);
      const patch = patchOf(before, input, ['code', 'name', 'active']);
      if (patch.fields.length === 0) return answer(200, ratePlanView(before), { etag: before.version });
      if (isReserved(before.code))
        throw conflict('RATE_PLAN_RESERVED', `${before.code} can be neither renamed nor deactivated.`);
      const row = await writeRatePlan(tx, before, patch.values);
      await appendChanges(tx, ctx, [
        {
          aggregateType: 'rate_plan',
          aggregateId: row.ratePlanId,
          version: row.version,
          type: 'rate_plan.changed',
          data: { ...ratePlanEvent(row) },
          changes: patch.changes,
        },
      ]);
      return answer(200, ratePlanView(row), { etag: row.version, correlationId: ctx.correlationId });
    });
  }
}
