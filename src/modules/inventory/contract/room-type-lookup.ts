import type { Tx } from '../../../platform/database/unit-of-work.js';
import { findRoomType } from '../persistence/room-type-rows.js';

/** What other modules may know of a room type. */
export interface RoomType {
  readonly roomTypeId: string;
  readonly propertyId: string;
  readonly code: string;
  readonly baseOccupancy: number;
  readonly maxOccupancy: number;
}

/** @throws DomainError ROOM_TYPE_NOT_FOUND (404), for an unknown id and one of another property or tenant alike */
export const roomTypeById: (tx: Tx, propertyId: string, roomTypeId: string) => Promise<RoomType> =
  findRoomType;
