import type { RoomTypeEvent } from '../contract/events.js';
import type { RoomTypeEntity } from '../persistence/room-type.entity.js';

/** The room type as its events tell it. */
export const roomTypeEvent = (row: RoomTypeEntity): RoomTypeEvent => ({
  roomTypeId: row.roomTypeId,
  propertyId: row.propertyId,
  code: row.code,
  name: row.name,
  baseOccupancy: row.baseOccupancy,
  maxOccupancy: row.maxOccupancy,
  rooms: row.rooms,
});
