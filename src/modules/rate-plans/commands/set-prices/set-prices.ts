import { Injectable } from '@nestjs/common';
import type { OpContext } from '../../../../platform/context/op-context.js';
import { runOnce, type Claim, type StoredAnswer } from '../../../../platform/database/idempotency.js';
import { UnitOfWork } from '../../../../platform/database/unit-of-work.js';
import { answer } from '../../../../platform/http/answer.js';
import { requireVersion } from '../../../../platform/http/request.js';
import type { IsoDate } from '../../../../platform/kernel/dates.js';
import { roomTypeById } from '../../../inventory/contract/room-type-lookup.js';
import { appendChanges } from '../../../outbox/contract/append-changes.js';
import { layOver } from '../../domain/price-calendar.js';
import { putPrices, takePrices } from '../../persistence/price-rows.js';
import { lockRatePlan, writeRatePlan } from '../../persistence/rate-plan-rows.js';
import { ratePlanView } from '../../queries/rate-plan-views.js';

export interface SetPricesInput {
  readonly propertyId: string;
  readonly ratePlanId: string;
  readonly roomTypeId: string;
  /** The version of the plan that the caller saw; null compares nothing. */
  readonly ifVersion: number | null;
  readonly from: IsoDate;
  /** The night after the last; left out or null: without end. */
  readonly to?: IsoDate | null;
  /** A night, in minor units of the property's currency, 0 to 100,000,000,000. */
  readonly amountMinor: number;
}

/** Sets the price of a room type on the nights `[from, to)` of a plan; agreed prices of reservations stay. */
@Injectable()
export class SetPrices {
  constructor(private readonly uow: UnitOfWork) {}

  /**
   * Answers 200 with the plan, at its next version.
   * @throws DomainError RATE_PLAN_NOT_FOUND, ROOM_TYPE_NOT_FOUND (404), VERSION_STALE (412)
   */
  execute(ctx: OpContext, input: SetPricesInput, claim: Claim | null): Promise<StoredAnswer> {
    const { propertyId, ratePlanId, roomTypeId, from, amountMinor } = input;
    const to = input.to ?? null;
    return runOnce(this.uow, ctx, 'rate_plan.set_prices', claim, async (tx) => {
      const before = await lockRatePlan(tx, propertyId, ratePlanId);
      requireVersion(before.version, input.ifVersion);
      await roomTypeById(tx, propertyId, roomTypeId);
      const key = { propertyId, ratePlanId, roomTypeId };
      const price = { from, to, amountMinor };
      const overlapped = await takePrices(tx, key, from, to);
      await putPrices(tx, key, layOver(overlapped, price));
      const row = await writeRatePlan(tx, before, {});
      await appendChanges(tx, ctx, [
        {
          aggregateType: 'rate_plan',
          aggregateId: ratePlanId,
          version: row.version,
          type: 'rate_plan.prices_set',
          data: { ...key, ...price },
          changes: { prices: [overlapped, { roomTypeId, ...price }] },
        },
      ]);
      return answer(200, ratePlanView(row), { etag: row.version, correlationId: ctx.correlationId });
    });
  }
}
