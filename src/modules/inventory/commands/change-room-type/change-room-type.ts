import { Injectable } from '@nestjs/common';
import type { OpContext } from '../../../../platform/context/op-context.js';
import { runOnce, type Claim, type StoredAnswer } from '../../../../platform/database/idempotency.js';
import { UnitOfWork, type Tx } from '../../../../platform/database/unit-of-work.js';
import { answer } from '../../../../platform/http/answer.js';
import { patchOf } from '../../../../platform/http/patch.js';
import { requireVersion } from '../../../../platform/http/request.js';
import type { IsoDate } from '../../../../platform/kernel/dates.js';
import { appendChanges } from '../../../outbox/contract/append-changes.js';
import { propertyHeld } from '../../../properties/contract/property-lookup.js';
import { requireOccupancy, roomsBelowSold } from '../../domain/room-type-rules.js';
import { resizeNights } from '../../persistence/night-rows.js';
import { lockRoomType, writeRoomType } from '../../persistence/room-type-rows.js';
import type { RoomTypeEntity } from '../../persistence/room-type.entity.js';
import { roomTypeView } from '../../queries/inventory-views.js';
import { roomTypeEvent } from '../room-type-event.js';

export interface ChangeRoomTypeInput {
  readonly propertyId: string;
  readonly roomTypeId: string;
  /** The version that the caller saw; null compares nothing. */
  readonly ifVersion: number | null;
  readonly code?: string;
  readonly name?: string;
  readonly baseOccupancy?: number;
  readonly maxOccupancy?: number;
  /** Changes every night from the business date that still has the old number. */
  readonly rooms?: number;
}

/** Changes a room type and, with its number of rooms, the nights that follow it. */
@Injectable()
export class ChangeRoomType {
  constructor(private readonly uow: UnitOfWork) {}

  /**
   * Answers 200 with the room type; a change to what is already so writes nothing.
   * @throws DomainError ROOM_TYPE_NOT_FOUND, PROPERTY_NOT_FOUND (404), ROOM_TYPE_CODE_TAKEN, ROOMS_BELOW_SOLD (409),
   *   VERSION_STALE (412), OCCUPANCY_INVALID, PATCH_EMPTY (400)
   */
  execute(ctx: OpContext, input: ChangeRoomTypeInput, claim: Claim | null): Promise<StoredAnswer> {
    return runOnce(this.uow, ctx, 'room_type.change', claim, async (tx) => {
      const { businessDate } = await propertyHeld(tx, input.propertyId);
      const before = await lockRoomType(tx, input.propertyId, input.roomTypeId);
      requireVersion(before.version, input.ifVersion);
      const patch = patchOf(before, input, ['code', 'name', 'baseOccupancy', 'maxOccupancy', 'rooms']);
      if (patch.fields.length === 0) return answer(200, roomTypeView(before), { etag: before.version });
      const { baseOccupancy, maxOccupancy } = { ...before, ...patch.values };
      requireOccupancy(baseOccupancy, maxOccupancy);
      if (patch.values.rooms !== undefined) await resize(tx, before, patch.values.rooms, businessDate);
      const row = await writeRoomType(tx, before, patch.values);
      await appendChanges(tx, ctx, [
        {
          aggregateType: 'room_type',
          aggregateId: row.roomTypeId,
          version: row.version,
          type: 'room_type.changed',
          data: { ...roomTypeEvent(row) },
          changes: patch.changes,
        },
      ]);
      return answer(200, roomTypeView(row), { etag: row.version, correlationId: ctx.correlationId });
    });
  }
}

async function resize(tx: Tx, row: RoomTypeEntity, rooms: number, from: IsoDate): Promise<void> {
  const short = await resizeNights(tx, { roomTypeId: row.roomTypeId, from, to: null, rooms, was: row.rooms });
  if (short) throw roomsBelowSold(short.night, short.sold);
}
