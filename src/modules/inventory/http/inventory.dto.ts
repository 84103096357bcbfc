import { DateField, IdField, IntField, TextField } from '../../../platform/http/fields.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import { CODE_PATTERN } from '../../properties/contract/codes.js';
import { MAX_ROOMS } from '../domain/room-type-rules.js';

const code = {
  max: 20,
  pattern: CODE_PATTERN,
  code: 'CODE_INVALID',
  hint: 'A to Z, 0 to 9, - and _.',
  example: 'DBL',
};
const name = { max: 200, example: 'Double room' };
const persons = { min: 1, max: 99, example: 2 };
const rooms = { min: 0, max: MAX_ROOMS, example: 20 };

/** Body of `POST /v1/properties/:propertyId/room-types`. */
export class CreateRoomTypeBody {
  @TextField(code)
  code!: string;

  @TextField(name)
  name!: string;

  @IntField(persons)
  baseOccupancy!: number;

  @IntField(persons)
  maxOccupancy!: number;

  @IntField(rooms)
  rooms!: number;
}

/** Body of `PATCH /v1/properties/:propertyId/room-types/:roomTypeId`. */
export class ChangeRoomTypeBody {
  @TextField({ ...code, optional: true })
  code?: string;

  @TextField({ ...name, optional: true })
  name?: string;

  @IntField({ ...persons, optional: true })
  baseOccupancy?: number;

  @IntField({ ...persons, optional: true })
  maxOccupancy?: number;

  @IntField({
    ...rooms,
    optional: true,
    description: 'Nights that have another number than the old one keep it.',
  })
  rooms?: number;
}

/** Body of `PATCH /v1/properties/:propertyId/room-types/:roomTypeId/inventory`. */
export class SetInventoryBody {
  @DateField()
  from!: IsoDate;

  @DateField({ example: '2026-03-08', description: 'The night after the last.' })
  to!: IsoDate;

  @IntField(rooms)
  rooms!: number;
}

/** Query of availability: nights `[from, to)`, 366 at most. */
export class AvailabilityQuery {
  @DateField()
  from!: IsoDate;

  @DateField({ example: '2026-03-08', description: 'The night after the last.' })
  to!: IsoDate;
}

/** Query of counters: as availability, of one type if it is given. */
export class CountersQuery extends AvailabilityQuery {
  @IdField({ optional: true })
  roomTypeId?: string;
}
