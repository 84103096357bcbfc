import { Inject, Injectable } from '@nestjs/common';
import type { OpContext } from '../../../platform/context/op-context.js';
import type { StoredAnswer } from '../../../platform/database/idempotency.js';
import type { Sql } from '../../../platform/database/sql.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import { conflict } from '../../../platform/kernel/errors.js';
import { newId } from '../../../platform/kernel/ids.js';
import { CreateGuest } from '../../guests/contract/create-guest.js';
import { CreateRoomType } from '../../inventory/contract/create-room-type.js';
import { CreateProperty } from '../../properties/contract/create-property.js';
import { BAR_PLAN, IMPORT_GUEST, PROPERTY_BY_CODE, ROOM_TYPE_BY_CODE } from '../persistence/house.js';

/** Where the bookings of a file go. */
export interface ReplayPlace {
  readonly propertyId: string;
  readonly businessDate: IsoDate;
  readonly roomTypeId: string;
  readonly ratePlanId: string;
  readonly guestId: string;
}

const ROOM_TYPE = 'ROOM';
const GUEST = 'Imported booking';
/** The largest party that a reservation may have fits: the file's groups count as one booking. */
const MAX_OCCUPANCY = 99;

const idOf = (answer: StoredAnswer): string => (JSON.parse(answer.body) as { data: { id: string } }).data.id;

/** Finds or makes the house of a replay; each step alone, so that a killed one is gone on with. */
@Injectable()
export class ReplayHouse {
  constructor(
    @Inject(UnitOfWork) private readonly uow: UnitOfWork,
    @Inject(CreateProperty) private readonly createProperty: CreateProperty,
    @Inject(CreateRoomType) private readonly createRoomType: CreateRoomType,
    @Inject(CreateGuest) private readonly createGuest: CreateGuest,
  ) {}

  /**
   * The property, created with `firstDay` as its business date where it is not there; one room type of `rooms` rooms; BAR.
   * @throws DomainError ROOMS_DIFFER (409) when the room type is there with another number of rooms
   */
  async prepare(ctx: OpContext, code: string, rooms: number, firstDay: IsoDate): Promise<ReplayPlace> {
    const request = (): OpContext => ({ ...ctx, correlationId: newId(), receivedAt: new Date() });
    let property = await this.one<{ propertyId: string; businessDate: IsoDate }>(ctx, PROPERTY_BY_CODE, [
      code,
    ]);
    if (!property) {
      const input = {
        code,
        name: `Replay ${code}`,
        timeZone: 'Europe/Lisbon',
        currency: 'EUR',
        businessDate: firstDay,
      };
      const propertyId = idOf(await this.createProperty.execute(request(), input, null));
      property = { propertyId, businessDate: firstDay };
    }
    const { propertyId } = property;
    let roomType = await this.one<{ roomTypeId: string; rooms: number }>(ctx, ROOM_TYPE_BY_CODE, [
      propertyId,
      ROOM_TYPE,
    ]);
    if (!roomType) {
      const input = {
        propertyId,
        code: ROOM_TYPE,
        name: 'Room',
        baseOccupancy: 2,
        maxOccupancy: MAX_OCCUPANCY,
        rooms,
      };
      roomType = { roomTypeId: idOf(await this.createRoomType.execute(request(), input, null)), rooms };
    }
    if (roomType.rooms !== rooms)
      throw conflict('ROOMS_DIFFER', `The property has ${roomType.rooms} rooms of this type, not ${rooms}.`);
    const plan = await this.one<{ ratePlanId: string }>(ctx, BAR_PLAN, [propertyId]);
    if (!plan) throw conflict('RATE_PLAN_MISSING', 'The property has no rate plan BAR.');
    const guest = (await this.one<{ guestId: string }>(ctx, IMPORT_GUEST, [GUEST])) ?? {
      guestId: idOf(await this.createGuest.execute(request(), { lastName: GUEST }, null)),
    };
    return { ...property, roomTypeId: roomType.roomTypeId, ...plan, ...guest };
  }

  private async one<T extends object>(
    ctx: OpContext,
    statement: Sql,
    values: readonly unknown[],
  ): Promise<T | undefined> {
    const [row] = await this.uow.run(ctx, statement.name, (tx) =>
      tx.query<T>(statement, [ctx.tenantId, ...values]),
    );
    return row;
  }
}
