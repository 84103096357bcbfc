import {
  DateField,
  IdField,
  IntField,
  NestedArrayField,
  TextField,
  TimeField,
  VersionField,
} from '../../../platform/http/fields.js';
import { dateOfDay, dayNumber, type IsoDate } from '../../../platform/kernel/dates.js';
import { MAX_RANGE_NIGHTS, MAX_ROOMS } from '../domain/room-type-rules.js';
import type { TypeNights } from '../persistence/night-rows.js';
import type { RoomTypeEntity } from '../persistence/room-type.entity.js';

/** A room type as it is answered. */
export class RoomTypeView {
  @IdField()
  id!: string;

  @IdField()
  propertyId!: string;

  @TextField({ max: 20, example: 'DBL' })
  code!: string;

  @TextField({ max: 200, example: 'Double room' })
  name!: string;

  @IntField({ min: 1, max: 99 })
  baseOccupancy!: number;

  @IntField({ min: 1, max: 99 })
  maxOccupancy!: number;

  @IntField({ min: 0, max: MAX_ROOMS })
  rooms!: number;

  @VersionField()
  version!: number;

  @TimeField()
  createdAt!: string;

  @TimeField()
  updatedAt!: string;
}

export const roomTypeView = (row: RoomTypeEntity): RoomTypeView => ({
  id: row.roomTypeId,
  propertyId: row.propertyId,
  code: row.code,
  name: row.name,
  baseOccupancy: row.baseOccupancy,
  maxOccupancy: row.maxOccupancy,
  rooms: row.rooms,
  version: row.version,
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
});

/** One counter. */
export class CounterView {
  @IdField()
  roomTypeId!: string;

  @DateField()
  night!: IsoDate;

  @IntField({ min: 0, max: MAX_ROOMS })
  rooms!: number;

  @IntField({ min: 0, max: MAX_ROOMS })
  sold!: number;
}

/** The counters of a range that begins with `from`. */
export const counterViews = (from: IsoDate, types: readonly TypeNights[]): CounterView[] => {
  const first = dayNumber(from);
  return types.flatMap(({ roomTypeId, days, rooms, sold }) =>
    days.map((day, i) => ({ roomTypeId, night: dateOfDay(first + day), rooms: rooms[i]!, sold: sold[i]! })),
  );
};

/** What is left of one type on one night. */
export class AvailableNightView {
  @DateField()
  night!: IsoDate;

  @IntField({ min: 0, max: MAX_ROOMS })
  rooms!: number;

  @IntField({ min: 0, max: MAX_ROOMS })
  sold!: number;

  @IntField({ min: 0, max: MAX_ROOMS })
  available!: number;
}

/** What is left of one type, night by night. */
export class AvailabilityView {
  @IdField()
  roomTypeId!: string;

  @TextField({ max: 20, example: 'DBL' })
  code!: string;

  @NestedArrayField(() => AvailableNightView, { max: MAX_RANGE_NIGHTS })
  nights!: AvailableNightView[];
}

/** What is left in a range that begins with `from`. */
export function availabilityViews(from: IsoDate, types: readonly TypeNights[]): AvailabilityView[] {
  const first = dayNumber(from);
  return types.map(({ roomTypeId, code, days, rooms, sold }) => ({
    roomTypeId,
    code,
    nights: days.map((day, i) => ({
      night: dateOfDay(first + day),
      rooms: rooms[i]!,
      sold: sold[i]!,
      available: rooms[i]! - sold[i]!,
    })),
  }));
}
