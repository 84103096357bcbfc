import { Injectable } from '@nestjs/common';
import { MoreThan } from 'typeorm';
import type { OpContext } from '../../../platform/context/op-context.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { decodeCursor, pageOf, type Page, type PageQuery } from '../../../platform/http/pagination.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import type { Versioned } from '../../../platform/kernel/versioned.js';
import { propertyById } from '../../properties/contract/property-lookup.js';
import { readNights } from '../persistence/night-rows.js';
import { findRoomType } from '../persistence/room-type-rows.js';
import { RoomTypeEntity } from '../persistence/room-type.entity.js';
import {
  availabilityViews,
  counterViews,
  roomTypeView,
  type AvailabilityView,
  type CounterView,
  type RoomTypeView,
} from './inventory-views.js';

/** Nights `[from, to)`, 366 at most; of one type, if it is given. */
export interface NightRange {
  readonly from: IsoDate;
  readonly to: IsoDate;
  readonly roomTypeId?: string;
}

/** Reads of room types and their counters. */
@Injectable()
export class InventoryQueries {
  constructor(private readonly uow: UnitOfWork) {}

  /** @throws DomainError ROOM_TYPE_NOT_FOUND (404) */
  roomType(ctx: OpContext, propertyId: string, roomTypeId: string): Promise<RoomTypeView> {
    return this.uow.run(ctx, 'room_type.get', async (tx) =>
      roomTypeView(await findRoomType(tx, propertyId, roomTypeId)),
    );
  }

  /** By code. @throws DomainError PROPERTY_NOT_FOUND (404), CURSOR_INVALID (400) */
  roomTypes(ctx: OpContext, propertyId: string, { limit, cursor }: PageQuery): Promise<Page<RoomTypeView>> {
    const after = decodeCursor(cursor, ['text'])?.[0];
    return this.uow.run(ctx, 'room_type.list', async (tx) => {
      await propertyById(tx, propertyId);
      const rows = await tx.entities.find(RoomTypeEntity, {
        where: { tenantId: tx.tenantId, propertyId, ...(after !== undefined && { code: MoreThan(after) }) },
        order: { code: 'ASC' },
        take: limit + 1,
      });
      return pageOf(rows, limit, (row) => [row.code], roomTypeView);
    });
  }

  /** The counters by code of the type and night. @throws DomainError PROPERTY_NOT_FOUND (404) */
  async counters(ctx: OpContext, propertyId: string, range: NightRange): Promise<CounterView[]> {
    const { data } = await this.uow.read(ctx, 'inventory.counters', (tx) =>
      readNights(tx, propertyId, range, null),
    );
    return counterViews(range.from, data!);
  }

  /**
   * What is left, by type and night; nothing when the property's version is `known`.
   * @throws DomainError PROPERTY_NOT_FOUND (404)
   */
  async availability(
    ctx: OpContext,
    propertyId: string,
    range: NightRange,
    known: string | null,
  ): Promise<Versioned<AvailabilityView[]>> {
    const { version, data } = await this.uow.read(ctx, 'inventory.availability', (tx) =>
      readNights(tx, propertyId, range, known),
    );
    return { version, data: data && availabilityViews(range.from, data) };
  }
}
