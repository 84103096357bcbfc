import { Injectable } from '@nestjs/common';
import type { OpContext } from '../../../../platform/context/op-context.js';
import { runOnce, type Claim, type StoredAnswer } from '../../../../platform/database/idempotency.js';
import { UnitOfWork } from '../../../../platform/database/unit-of-work.js';
import { answer } from '../../../../platform/http/answer.js';
import type { IsoDate } from '../../../../platform/kernel/dates.js';
import { extendHorizon } from '../../../inventory/contract/horizon.js';
import { appendChanges } from '../../../outbox/contract/append-changes.js';
import { nextBusinessDate } from '../../domain/property-rules.js';
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
      const { businessDate: from, propertyId, version } = before;
      const to = nextBusinessDate(from, input.to);
      const [row] = await Promise.all([
        writeBusinessDate(tx, propertyId, to),
        extendHorizon(tx, propertyId, to),
        appendChanges(tx, ctx, [
          {
            aggregateType: 'property',
            aggregateId: propertyId,
            version: version + 1,
            type: 'property.business_date_advanced',
            data: { propertyId, from, to },
            changes: { businessDate: [from, to] },
          },
        ]),
      ]);
      return answer(200, propertyView(row), { etag: row.version, correlationId: ctx.correlationId });
    });
  }
}
