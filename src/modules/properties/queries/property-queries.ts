import { Injectable } from '@nestjs/common';
import { MoreThan } from 'typeorm';
import type { OpContext } from '../../../platform/context/op-context.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { decodeCursor, pageOf, type Page, type PageQuery } from '../../../platform/http/pagination.js';
import { notFound } from '../../../platform/kernel/errors.js';
import { propertyView, type PropertyView } from './property-view.js';
import { findProperty } from '../persistence/property-rows.js';
import { PropertyEntity } from '../persistence/property.entity.js';

/** Reads of properties. */
@Injectable()
export class PropertyQueries {
  constructor(private readonly uow: UnitOfWork) {}

  /** @throws DomainError PROPERTY_NOT_FOUND (404) */
  get(ctx: OpContext, propertyId: string): Promise<PropertyView> {
    return this.uow.run(ctx, 'property.get', async (tx) => propertyView(await findProperty(tx, propertyId)));
  }

  /** @throws DomainError PROPERTY_NOT_FOUND (404) */
  byCode(ctx: OpContext, code: string): Promise<PropertyView> {
    return this.uow.run(ctx, 'property.by_code', async (tx) => {
      const row = await tx.entities.findOneBy(PropertyEntity, { tenantId: tx.tenantId, code });
      if (!row) throw notFound('property');
      return propertyView(row);
    });
  }

  /** By code. @throws DomainError CURSOR_INVALID (400) */
  list(ctx: OpContext, { limit, cursor }: PageQuery): Promise<Page<PropertyView>> {
    const after = decodeCursor(cursor, ['text'])?.[0];
    return this.uow.run(ctx, 'property.list', async (tx) => {
      const rows = await tx.entities.find(PropertyEntity, {
        where: { tenantId: tx.tenantId, ...(after !== undefined && { code: MoreThan(after) }) },
        order: { code: 'ASC' },
        take: limit + 1,
      });
      return pageOf(rows, limit, (row) => [row.code], propertyView);
    });
  }
}
