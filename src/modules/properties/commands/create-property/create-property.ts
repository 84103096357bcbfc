import { Injectable } from '@nestjs/common';
import type { OpContext } from '../../../../platform/context/op-context.js';
import { runOnce, type Claim, type StoredAnswer } from '../../../../platform/database/idempotency.js';
import { UnitOfWork } from '../../../../platform/database/unit-of-work.js';
import { answer } from '../../../../platform/http/answer.js';
import { Clock } from '../../../../platform/kernel/clock.js';
import { dateInZone, isoDate, type IsoDate } from '../../../../platform/kernel/dates.js';
import { invalid } from '../../../../platform/kernel/errors.js';
import { newId } from '../../../../platform/kernel/ids.js';
import { appendChanges } from '../../../outbox/contract/append-changes.js';
import { seedRatePlans } from '../../../rate-plans/contract/seed-rate-plans.js';
import { propertyView } from '../../queries/property-view.js';
import { findProperty, refuseViolation } from '../../persistence/property-rows.js';
import { PropertyEntity } from '../../persistence/property.entity.js';
import { propertyEvent } from '../property-event.js';

export interface CreatePropertyInput {
  /** Unique in the tenant. */
  readonly code: string;
  readonly name: string;
  /** IANA name. */
  readonly timeZone: string;
  /** ISO 4217; stays for ever. */
  readonly currency: string;
  /** Today in the zone unless given. */
  readonly businessDate?: IsoDate;
}

/** Dates end in 2999, and stays are booked years ahead; the table's check constraint repeats it. */
const LAST_BUSINESS_DATE = isoDate('2900-01-01');

/** Creates a property and, in the same transaction, its rate plans BAR and RACK. */
@Injectable()
export class CreateProperty {
  constructor(
    private readonly uow: UnitOfWork,
    private readonly clock: Clock,
  ) {}

  /** Answers 201 with the property. @throws DomainError PROPERTY_CODE_TAKEN (409), BUSINESS_DATE_INVALID (400) */
  async execute(ctx: OpContext, input: CreatePropertyInput, claim: Claim | null): Promise<StoredAnswer> {
    const propertyId = newId();
    const businessDate = input.businessDate ?? dateInZone(this.clock.now(), input.timeZone);
    if (businessDate > LAST_BUSINESS_DATE)
      throw invalid('BUSINESS_DATE_INVALID', 'businessDate', `A house opens by ${LAST_BUSINESS_DATE}.`);
    return runOnce(this.uow, ctx, 'property.create', claim, async (tx) => {
      const { code, name, timeZone, currency } = input;
      const values = { code, name, timeZone, currency, businessDate };
      await tx.entities
        .insert(PropertyEntity, { tenantId: tx.tenantId, propertyId, ...values, version: 1 })
        .catch(refuseViolation);
      const row = await findProperty(tx, propertyId);
      const created = {
        aggregateType: 'property' as const,
        aggregateId: propertyId,
        version: 1,
        type: 'property.created',
        data: { ...propertyEvent(row) },
        changes: Object.fromEntries(Object.entries(values).map(([field, value]) => [field, [null, value]])),
      };
      await appendChanges(tx, ctx, [created, ...(await seedRatePlans(tx, propertyId))]);
      return answer(201, propertyView(row), {
        etag: 1,
        location: `/v1/properties/${propertyId}`,
        correlationId: ctx.correlationId,
      });
    });
  }
}
