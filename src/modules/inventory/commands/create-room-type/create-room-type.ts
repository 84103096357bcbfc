import { Injectable } from '@nestjs/common';
import type { OpContext } from '../../../../platform/context/op-context.js';
import { runOnce, type Claim, type StoredAnswer } from '../../../../platform/database/idempotency.js';
import { UnitOfWork } from '../../../../platform/database/unit-of-work.js';
import { answer } from '../../../../platform/http/answer.js';
import { newId } from '../../../../platform/kernel/ids.js';
import { appendChanges } from '../../../outbox/contract/append-changes.js';
import { propertyHeld } from '../../../properties/contract/property-lookup.js';
import { horizonEnd } from '../../contract/horizon.js';
import { requireOccupancy } from '../../domain/room-type-rules.js';
import { openNights } from '../../persistence/night-rows.js';
import { findRoomType, refuseTakenCode } from '../../persistence/room-type-rows.js';
import { RoomTypeEntity } from '../../persistence/room-type.entity.js';
import { roomTypeView } from '../../queries/inventory-views.js';
import { roomTypeEvent } from '../room-type-event.js';

export interface CreateRoomTypeInput {
  readonly propertyId: string;
  /** Unique in the property. */
  readonly code: string;
  readonly name: string;
  /** Persons that the price is for, 1 to 99. */
  readonly baseOccupancy: number;
  /** Persons that fit, 1 to 99. */
  readonly maxOccupancy: number;
  /** Rooms of this type, 0 to 100,000. */
  readonly rooms: number;
}

/** Creates a room type and opens its nights from the business date to the horizon. */
@Injectable()
export class CreateRoomType {
  constructor(private readonly uow: UnitOfWork) {}

  /**
   * Answers 201 with the room type.
   * @throws DomainError PROPERTY_NOT_FOUND (404), ROOM_TYPE_CODE_TAKEN (409), OCCUPANCY_INVALID (400)
   */
  execute(ctx: OpContext, input: CreateRoomTypeInput, claim: Claim | null): Promise<StoredAnswer> {
    requireOccupancy(input.baseOccupancy, input.maxOccupancy);
    const roomTypeId = newId();
    return runOnce(this.uow, ctx, 'room_type.create', claim, async (tx) => {
      const { propertyId, businessDate } = await propertyHeld(tx, input.propertyId);
      const { code, name, baseOccupancy, maxOccupancy, rooms } = input;
      const values = { code, name, baseOccupancy, maxOccupancy, rooms };
      await tx.entities
        .insert(RoomTypeEntity, { tenantId: tx.tenantId, roomTypeId, propertyId, ...values, version: 1 })
        .catch(refuseTakenCode);
      await openNights(tx, { roomTypeId, from: businessDate, to: horizonEnd(businessDate), rooms });
      const row = await findRoomType(tx, propertyId, roomTypeId);
      await appendChanges(tx, ctx, [
        {
          aggregateType: 'room_type',
          aggregateId: roomTypeId,
          version: 1,
          type: 'room_type.created',
          data: { ...roomTypeEvent(row) },
          changes: Object.fromEntries(Object.entries(values).map(([field, value]) => [field, [null, value]])),
        },
      ]);
      return answer(201, roomTypeView(row), {
        etag: 1,
        location: `/v1/properties/${propertyId}/room-types/${roomTypeId}`,
        correlationId: ctx.correlationId,
      });
    });
  }
}
