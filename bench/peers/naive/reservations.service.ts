import { createHash, randomInt, randomUUID } from 'node:crypto';
import {
  ConflictException,
  Inject,
  Injectable,
  NotFoundException,
  UnprocessableEntityException,
} from '@nestjs/common';
import { Between, DataSource, LessThan, QueryFailedError, type EntityManager } from 'typeorm';
import type { CreateReservationDto } from './create-reservation.dto.js';
import {
  AuditEntry,
  Guest,
  IdempotencyKey,
  InventoryNight,
  OutboxEvent,
  Property,
  RatePlan,
  RatePlanPrice,
  Reservation,
  RoomType,
} from './entities.js';
import type { User } from './jwt.guard.js';

const UNIQUE_VIOLATION = '23505';
const DAY_MS = 86_400_000;
const LETTERS = '23456789ABCDEFGHJKMNPQRSTVWXYZ';

const addDays = (date: string, days: number): string =>
  new Date(Date.parse(date) + days * DAY_MS).toISOString().slice(0, 10);

const confirmationNumber = (): string =>
  Array.from({ length: 8 }, () => LETTERS[randomInt(LETTERS.length)]).join('');

@Injectable()
export class ReservationsService {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  async create(user: User, ip: string, key: string, dto: CreateReservationDto): Promise<object> {
    const nights = (Date.parse(dto.departure) - Date.parse(dto.arrival)) / DAY_MS;
    if (!(nights >= 1 && nights <= 365)) throw new UnprocessableEntityException('STAY_DATES');
    const requestHash = createHash('sha256').update(JSON.stringify(dto)).digest('hex');
    try {
      return await this.dataSource.transaction(async (manager) => {
        const { tenantId, subject: principal } = user;
        const kept = await manager.findOneBy(IdempotencyKey, { tenantId, principal, key });
        if (kept && kept.requestHash !== requestHash)
          throw new UnprocessableEntityException('IDEMPOTENCY_KEY_REUSED');
        if (kept) return kept.answer;
        const answer = await this.book(manager, user, ip, dto, nights);
        await manager.save(manager.create(IdempotencyKey, { tenantId, principal, key, requestHash, answer }));
        return answer;
      });
    } catch (error) {
      if (
        error instanceof QueryFailedError &&
        (error.driverError as { code?: string }).code === UNIQUE_VIOLATION
      )
        throw new ConflictException({ code: 'REQUEST_IN_PROGRESS' });
      throw error;
    }
  }

  private async book(
    manager: EntityManager,
    { tenantId, subject }: User,
    ip: string,
    dto: CreateReservationDto,
    nights: number,
  ): Promise<object> {
    const { propertyId, roomTypeId, ratePlanId, guestId, arrival, departure } = dto;
    const property = await manager.findOneBy(Property, { tenantId, id: propertyId });
    if (!property) throw new NotFoundException('PROPERTY');
    if (arrival < property.businessDate) throw new UnprocessableEntityException('ARRIVAL_PAST');
    const roomType = await manager.findOneBy(RoomType, { tenantId, propertyId, id: roomTypeId });
    if (!roomType) throw new NotFoundException('ROOM_TYPE');
    const people = dto.adults + dto.children + dto.babies;
    if (people < 1 || people > roomType.maxOccupancy) throw new UnprocessableEntityException('PARTY');
    const ratePlan = await manager.findOneBy(RatePlan, { tenantId, propertyId, id: ratePlanId });
    if (!ratePlan?.active) throw new NotFoundException('RATE_PLAN');
    if (!(await manager.findOneBy(Guest, { tenantId, id: guestId }))) throw new NotFoundException('GUEST');

    const prices = await manager.findBy(RatePlanPrice, {
      tenantId,
      ratePlanId,
      roomTypeId,
      fromDate: LessThan(departure),
    });
    const nightlyMinor = Array.from({ length: nights }, (_, i) => {
      const night = addDays(arrival, i);
      const price = prices.find(
        ({ fromDate, toDate }) => fromDate <= night && (toDate === null || night < toDate),
      );
      if (!price) throw new UnprocessableEntityException('NO_PRICE');
      return price.amountMinor;
    });

    // Locked in the order of the nights, which keeps two bookings from waiting for each other.
    const inventory = await manager.find(InventoryNight, {
      where: { tenantId, roomTypeId, night: Between(arrival, addDays(departure, -1)) },
      order: { night: 'ASC' },
      lock: { mode: 'pessimistic_write' },
    });
    if (inventory.length < nights || inventory.some(({ sold, rooms }) => sold >= rooms))
      throw new ConflictException({ code: 'NO_AVAILABILITY' });
    for (const night of inventory) night.sold++;
    await manager.save(inventory);

    const reservation = await manager.save(
      manager.create(Reservation, {
        ...dto,
        tenantId,
        confirmationNumber: confirmationNumber(),
        status: 'CONFIRMED',
        currency: property.currency,
        nightlyMinor,
      }),
    );
    const correlationId = randomUUID();
    const common = { tenantId, correlationId };
    await manager.save(
      manager.create(OutboxEvent, {
        ...common,
        type: 'reservation.created',
        aggregateId: reservation.id,
        sequence: reservation.version,
        data: { ...reservation },
      }),
    );
    await manager.save(
      manager.create(AuditEntry, {
        ...common,
        actor: subject,
        ip,
        action: 'reservation.created',
        resourceId: reservation.id,
        changes: {
          status: [null, reservation.status],
          arrival: [null, arrival],
          departure: [null, departure],
        },
      }),
    );
    return { data: { ...reservation, correlationId } };
  }
}
