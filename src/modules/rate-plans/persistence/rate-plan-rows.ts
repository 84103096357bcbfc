import { sql } from '../../../platform/database/sql.js';
import { violatedConstraint } from '../../../platform/database/sqlstate.js';
import type { Tx } from '../../../platform/database/unit-of-work.js';
import { conflict, notFound } from '../../../platform/kernel/errors.js';
import type { Change } from '../../outbox/contract/append-changes.js';
import type { RatePlanEvent } from '../contract/events.js';
import { RatePlanEntity } from './rate-plan.entity.js';

const LOCK = sql(
  'rate_plans.lock',
  `SELECT 1 FROM rate_plans WHERE tenant_id = $1 AND property_id = $2 AND rate_plan_id = $3 FOR NO KEY UPDATE`,
);

/** @throws DomainError RATE_PLAN_NOT_FOUND (404) */
export async function findRatePlan(tx: Tx, propertyId: string, ratePlanId: string): Promise<RatePlanEntity> {
  const row = await tx.entities.findOneBy(RatePlanEntity, { tenantId: tx.tenantId, propertyId, ratePlanId });
  if (!row) throw notFound('rate plan');
  return row;
}

/** The row, locked for a change of it or of its prices. @throws DomainError RATE_PLAN_NOT_FOUND (404) */
export async function lockRatePlan(tx: Tx, propertyId: string, ratePlanId: string): Promise<RatePlanEntity> {
  await tx.query(LOCK, [tx.tenantId, propertyId, ratePlanId]);
  return findRatePlan(tx, propertyId, ratePlanId);
}

/** Writes new values and the next version of a row that is locked; answers with the row as it is then. */
export async function writeRatePlan(
  tx: Tx,
  row: RatePlanEntity,
  values: Partial<RatePlanEntity>,
): Promise<RatePlanEntity> {
  const { ratePlanId, propertyId, version } = row;
  await tx.entities
    .update(
      RatePlanEntity,
      { tenantId: tx.tenantId, ratePlanId, version },
      { ...values, version: version + 1, updatedAt: () => 'now()' },
    )
    .catch(refuseTakenCode);
  return findRatePlan(tx, propertyId, ratePlanId);
}

/** @throws DomainError RATE_PLAN_CODE_TAKEN (409) */
export function refuseTakenCode(error: unknown): never {
  if (violatedConstraint(error) === 'rate_plans_code_key')
    throw conflict('RATE_PLAN_CODE_TAKEN', 'Another rate plan of this property has this code.');
  throw error;
}

/** The plan as its events tell it. */
export const ratePlanEvent = ({
  ratePlanId,
  propertyId,
  code,
  name,
  active,
}: RatePlanEvent): RatePlanEvent => ({
  ratePlanId,
  propertyId,
  code,
  name,
  active,
});

/** The change that a new plan is. */
export const planCreated = (row: RatePlanEvent): Change => ({
  aggregateType: 'rate_plan',
  aggregateId: row.ratePlanId,
  version: 1,
  type: 'rate_plan.created',
  data: { ...ratePlanEvent(row) },
  changes: { code: [null, row.code], name: [null, row.name], active: [null, row.active] },
});
