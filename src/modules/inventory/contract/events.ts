import type { IsoDate } from '../../../platform/kernel/dates.js';
import { CODE, DATE, ID, label, object, whole } from '../../../platform/kernel/json-schema.js';
import type { EventTypes } from '../../outbox/contract/events.js';

/** `room_type.created` and `room_type.changed`: the type as it is from then on. */
export interface RoomTypeEvent {
  readonly roomTypeId: string;
  readonly propertyId: string;
  readonly code: string;
  readonly name: string;
  readonly baseOccupancy: number;
  readonly maxOccupancy: number;
  readonly rooms: number;
}

/** `room_type.inventory_set`: the number of rooms on each night of `[from, to)`. */
export interface InventorySetEvent {
  readonly roomTypeId: string;
  readonly propertyId: string;
  readonly from: IsoDate;
  readonly to: IsoDate;
  readonly rooms: number;
}

const persons = whole(1, 99);
const rooms = whole(0, 100_000);
const roomType = object<RoomTypeEvent>({
  roomTypeId: ID,
  propertyId: ID,
  code: CODE,
  name: label(200),
  baseOccupancy: persons,
  maxOccupancy: persons,
  rooms,
});
const inventorySet = object<InventorySetEvent>({
  roomTypeId: ID,
  propertyId: ID,
  from: DATE,
  to: DATE,
  rooms,
});

export const ROOM_TYPE_EVENTS = {
  'room_type.created': { about: 'A room type is there.', versions: { 1: roomType } },
  'room_type.changed': { about: 'A room type is another from then on.', versions: { 1: roomType } },
  'room_type.inventory_set': {
    about: 'The number of rooms on each night of `[from, to)`.',
    versions: { 1: inventorySet },
  },
} satisfies EventTypes;
