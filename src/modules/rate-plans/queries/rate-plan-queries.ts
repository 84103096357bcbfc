import { Injectable } from '@nestjs/common';
import { MoreThan } from 'typeorm';
import type { OpContext } from '../../../platform/context/op-context.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { decodeCursor, pageOf, type Page, type PageQuery } from '../../../platform/http/pagination.js';
import { propertyById } from '../../properties/contract/property-lookup.js';
import { readPrices, type PriceFilter } from '../persistence/price-rows.js';
import { findRatePlan } from '../persistence/rate-plan-rows.js';
import { RatePlanEntity } from '../persistence/rate-plan.entity.js';
import { priceView, ratePlanView, type PriceView, type RatePlanView } from './rate-plan-views.js';

/** Reads of rate plans and their prices. */
@Injectable()
export class RatePlanQueries {
  constructor(private readonly uow: UnitOfWork) {}

  /** @throws DomainError RATE_PLAN_NOT_FOUND (404) */
  get(ctx: OpContext, propertyId: string, ratePlanId: string): Promise<RatePlanView> {
    return this.uow.run(ctx, 'rate_plan.get', async (tx) =>
      ratePlanView(await findRatePlan(tx, propertyId, ratePlanId)),
    );
  }

  /** By code. @throws DomainError PROPERTY_NOT_FOUND (404), CURSOR_INVALID (400) */
  list(ctx: OpContext, propertyId: string, { limit, cursor }: PageQuery): Promise<Page<RatePlanView>> {
    const after = decodeCursor(cursor, ['text'])?.[0];
    return this.uow.run(ctx, 'rate_plan.list', async (tx) => {
      await propertyById(tx, propertyId);
      const rows = await tx.entities.find(RatePlanEntity, {
        where: { tenantId: tx.tenantId, propertyId, ...(after !== undefined && { code: MoreThan(after) }) },
        order: { code: 'ASC' },
        take: limit + 1,
      });
      return pageOf(rows, limit, (row) => [row.code], ratePlanView);
    });
  }

  /** By room type and first night. @throws DomainError RATE_PLAN_NOT_FOUND (404), CURSOR_INVALID (400) */
  prices(
    ctx: OpContext,
    propertyId: string,
    ratePlanId: string,
    { limit, cursor, ...filter }: PageQuery & PriceFilter,
  ): Promise<Page<PriceView>> {
    const [roomTypeId, from] = decodeCursor(cursor, ['id', 'date']) ?? [];
    return this.uow.run(ctx, 'rate_plan.prices', async (tx) => {
      await findRatePlan(tx, propertyId, ratePlanId);
      const rows = await readPrices(tx, ratePlanId, filter, { roomTypeId, from }, limit + 1);
      return pageOf(rows, limit, (row) => [row.roomTypeId, row.from], priceView);
    });
  }
}
