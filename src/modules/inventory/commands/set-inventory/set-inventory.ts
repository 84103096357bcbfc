import { Injectable } from '@nestjs/common';
import type { OpContext } from '../../../../platform/context/op-context.js';
import { runOnce, type Claim, type StoredAnswer } from '../../../../platform/database/idempotency.js';
import { UnitOfWork } from '../../../../platform/database/unit-of-work.js';
import { answer } from '../../../../platform/http/answer.js';
import { requireVersion } from '../../../../platform/http/request.js';
import type { IsoDate } from '../../../../platform/kernel/dates.js';
import { appendChanges } from '../../../outbox/contract/append-changes.js';
import { propertyHeld } from '../../../properties/contract/property-lookup.js';
import { horizonEnd } from '../../contract/horizon.js';
import { requireWithinHorizon, roomsBelowSold } from '../../domain/room-type-rules.js';
import { resizeNights } from '../../persistence/night-rows.js';
import { lockRoomType, writeRoomType } from '../../persistence/room-type-rows.js';
import { roomTypeView } from '../../queries/inventory-views.js';

export interface SetInventoryInput {
  readonly propertyId: string;
  readonly roomTypeId: string;
  /** The version of the room type that the caller saw; null compares nothing. */
  readonly ifVersion: number | null;
  readonly from: IsoDate;
  /** The night after the last. */
  readonly to: IsoDate;
  /** Rooms on each of these nights, 0 to 100,000. */
  readonly rooms: number;
}

/** Sets the number of rooms of a type on the nights `[from, to)`: closed floors, renovations. */
@Injectable()
export class SetInventory {
  constructor(private readonly uow: UnitOfWork) {}

  /**
   * Answers 200 with the room type, at its next version.
   * @throws DomainError ROOM_TYPE_NOT_FOUND, PROPERTY_NOT_FOUND (404), ROOMS_BELOW_SOLD, OUTSIDE_HORIZON (409),
   *   VERSION_STALE (412)
   */
  execute(ctx: OpContext, input: SetInventoryInput, claim: Claim | null): Promise<StoredAnswer> {
    const { propertyId, roomTypeId, from, to, rooms } = input;
    return runOnce(this.uow, ctx, 'inventory.set', claim, async (tx) => {
      const { businessDate } = await propertyHeld(tx, propertyId);
      const before = await lockRoomType(tx, propertyId, roomTypeId);
      requireVersion(before.version, input.ifVersion);
      requireWithinHorizon(from, to, businessDate, horizonEnd(businessDate));
      const short = await resizeNights(tx, { roomTypeId, from, to, rooms, was: null });
      if (short) throw roomsBelowSold(short.night, short.sold);
      const row = await writeRoomType(tx, before, {});
      const data = { roomTypeId, propertyId, from, to, rooms };
      await appendChanges(tx, ctx, [
        {
          aggregateType: 'room_type',
          aggregateId: roomTypeId,
          version: row.version,
          type: 'room_type.inventory_set',
          data,
          changes: { inventory: [null, { from, to, rooms }] },
        },
      ]);
      return answer(200, roomTypeView(row), { etag: row.version, correlationId: ctx.correlationId });
    });
  }
}
