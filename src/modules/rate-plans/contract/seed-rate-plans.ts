import type { Tx } from '../../../platform/database/unit-of-work.js';
import { newId } from '../../../platform/kernel/ids.js';
import type { Change } from '../../outbox/contract/append-changes.js';
import { RESERVED_PLANS } from '../domain/reserved-plans.js';
import { RatePlanEntity } from '../persistence/rate-plan.entity.js';
import { planCreated } from '../persistence/rate-plan-rows.js';

/**
 * Gives a new property its rate plans BAR and RACK, in the transaction that creates it.
 * @returns the changes, for the caller to append with its own
 */
export async function seedRatePlans(tx: Tx, propertyId: string): Promise<Change[]> {
  const rows = RESERVED_PLANS.map((plan) => ({
    ...plan,
    propertyId,
    ratePlanId: newId(),
    active: true,
    version: 1,
  }));
  await tx.entities.insert(
    RatePlanEntity,
    rows.map((row) => ({ ...row, tenantId: tx.tenantId })),
  );
  return rows.map(planCreated);
}
