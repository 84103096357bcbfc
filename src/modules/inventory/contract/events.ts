import type { IsoDate } from '../../../platform/kernel/dates.js';

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
