import { Injectable } from '@nestjs/common';
import type { OpContext } from '../../../../platform/context/op-context.js';
import { runOnce, type Claim, type StoredAnswer } from '../../../../platform/database/idempotency.js';
import { UnitOfWork, type Tx } from '../../../../platform/database/unit-of-work.js';
import { answer } from '../../../../platform/http/answer.js';
import { addDays, nightsOf, type IsoDate } from '../../../../platform/kernel/dates.js';
import { extendHorizon } from '../../../inventory/contract/horizon.js';
import { appendChanges } from '../../../outbox/contract/append-changes.js';
import { nextBusinessDate } from '../../domain/property-rules.js';
import type { PropertyEntity } from '../../persistence/property.entity.js';
import { propertyView } from '../../queries/property-view.js';
import { lockProperty, writeBusinessDate } from '../../persistence/property-rows.js';

export interface AdvanceBusinessDateInput {
  readonly propertyId: string;
  /** The next day as the caller believes it; guards against advancing twice. */
  readonly to?: IsoDate;
}

/** Moves a property's business date to the next day and opens the nights that come within the horizon. */
@Injectable()
export class AdvanceBusinessDate {
  constructor(private readonly uow: UnitOfWork) {}

  /** Answers 200 with the property. @throws DomainError PROPERTY_NOT_FOUND (404), BUSINESS_DATE_STEP (409) */
  execute(ctx: OpContext, input: AdvanceBusinessDateInput, claim: Claim | null): Promise<StoredAnswer> {
    return runOnce(this.uow, ctx, 'property.advance_business_date', claim, async (tx) => {
      const before = await lockProperty(tx, input.propertyId);
      const row = await advance(tx, ctx, before, [nextBusinessDate(before.businessDate, input.to)]);
      return answer(200, propertyView(row), { etag: row.version, correlationId: ctx.correlationId });
    });
  }

  /**
   * Through days on which nothing happens, in one transaction: a step, an event and an audit row a day, as ever.
   * @param span.from the business date as the caller believes it; `to` is after it
   * @throws DomainError PROPERTY_NOT_FOUND (404), BUSINESS_DATE_STEP (409)
   */
  through(
    ctx: OpContext,
    { propertyId, from, to }: { readonly propertyId: string; readonly from: IsoDate; readonly to: IsoDate },
  ): Promise<void> {
    return this.uow.run(ctx, 'property.advance_business_date', async (tx) => {
      const before = await lockProperty(tx, propertyId);
      nextBusinessDate(before.businessDate, addDays(from, 1));
      await advance(tx, ctx, before, nightsOf(addDays(from, 1), addDays(to, 1)));
    });
  }
}

/** Moves the date of a property that is locked to each of `days`, which follow it. */
async function advance(
  tx: Tx,
  ctx: OpContext,
  { propertyId, businessDate, version }: PropertyEntity,
  days: readonly IsoDate[],
): Promise<PropertyEntity> {
  const changes = days.map((to, i) => {
    const from = days[i - 1] ?? businessDate;
    return {
      aggregateType: 'property' as const,
      aggregateId: propertyId,
      version: version + 1 + i,
      type: 'property.business_date_advanced',
      data: { propertyId, from, to },
      changes: { businessDate: [from, to] as const },
    };
  });
  const [rows] = await Promise.all([
    Promise.all(days.map((day) => writeBusinessDate(tx, propertyId, day))),
    extendHorizon(tx, propertyId, days.at(-1)!),
    appendChanges(tx, ctx, changes),
  ]);
  return rows.at(-1)!;
}
