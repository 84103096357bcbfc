import { conflict, notFound } from '../../../platform/kernel/errors.js';
import { nightsOf, type IsoDate } from '../../../platform/kernel/dates.js';
import { takesNights } from './moves.js';
import type { Reservation } from './reservation.js';

export interface HouseProperty {
  readonly propertyId: string;
  readonly currency: string;
  readonly businessDate: IsoDate;
}

export interface HouseRoomType {
  readonly roomTypeId: string;
  readonly propertyId: string;
  readonly maxOccupancy: number;
}

export interface HouseRatePlan {
  readonly ratePlanId: string;
  readonly propertyId: string;
  readonly active: boolean;
}

/** A price of `[from, to)`, open-ended when `to` is null. */
export interface PriceRange {
  readonly ratePlanId: string;
  readonly roomTypeId: string;
  readonly from: IsoDate;
  readonly to: IsoDate | null;
  readonly amountMinor: number;
}

export interface NightCounter {
  readonly roomTypeId: string;
  readonly night: IsoDate;
  readonly rooms: number;
  readonly sold: number;
}

/** All that a list of commands may look at, as one transaction read and locked it. */
export interface HouseSnapshot {
  /** The database's clock. */
  readonly now: Date;
  readonly properties: readonly HouseProperty[];
  readonly roomTypes: readonly HouseRoomType[];
  readonly ratePlans: readonly HouseRatePlan[];
  readonly prices: readonly PriceRange[];
  readonly guestIds: readonly string[];
  readonly nights: readonly NightCounter[];
  readonly reservations: readonly Reservation[];
  /** Confirmation numbers to give away, one for each possible creation. */
  readonly confirmationNumbers: readonly string[];
}

const key = (a: string, b: string): string => `${a} ${b}`;

/**
 * The house while a list of commands is decided, one after the other: each sees what the ones before it did.
 * Pure state in memory; the transaction's locks make it true.
 */
export class House {
  readonly now: Date;
  private readonly properties: ReadonlyMap<string, HouseProperty>;
  private readonly roomTypes: ReadonlyMap<string, HouseRoomType>;
  private readonly ratePlans: ReadonlyMap<string, HouseRatePlan>;
  private readonly guests: Set<string>;
  private readonly prices = new Map<string, PriceRange[]>();
  private readonly counters = new Map<string, NightCounter>();
  private readonly touched = new Set<string>();
  private readonly reservations: Map<string, Reservation>;
  private readonly numbers: string[];

  constructor(snapshot: HouseSnapshot) {
    this.now = snapshot.now;
    this.properties = new Map(snapshot.properties.map((row) => [row.propertyId, row]));
    this.roomTypes = new Map(snapshot.roomTypes.map((row) => [row.roomTypeId, row]));
    this.ratePlans = new Map(snapshot.ratePlans.map((row) => [row.ratePlanId, row]));
    this.guests = new Set(snapshot.guestIds);
    this.reservations = new Map(snapshot.reservations.map((row) => [row.reservationId, row]));
    this.numbers = [...snapshot.confirmationNumbers];
    for (const range of snapshot.prices) {
      const pair = key(range.ratePlanId, range.roomTypeId);
      const ranges = this.prices.get(pair);
      if (ranges) ranges.push(range);
      else this.prices.set(pair, [range]);
    }
    for (const counter of snapshot.nights) this.counters.set(key(counter.roomTypeId, counter.night), counter);
  }

  /** @throws DomainError PROPERTY_NOT_FOUND */
  property(id: string): HouseProperty {
    const property = this.properties.get(id);
    if (!property) throw notFound('property');
    return property;
  }

  /** @throws DomainError ROOM_TYPE_NOT_FOUND, also for one of another property */
  roomType(id: string, propertyId: string): HouseRoomType {
    const roomType = this.roomTypes.get(id);
    if (roomType?.propertyId !== propertyId) throw notFound('room type');
    return roomType;
  }

  /** @throws DomainError RATE_PLAN_NOT_FOUND, also for one of another property */
  ratePlan(id: string, propertyId: string): HouseRatePlan {
    const plan = this.ratePlans.get(id);
    if (plan?.propertyId !== propertyId) throw notFound('rate plan');
    return plan;
  }

  /** @throws DomainError GUEST_NOT_FOUND */
  guestMustExist(id: string): void {
    if (!this.guests.has(id)) throw notFound('guest');
  }

  /** @throws DomainError RESERVATION_NOT_FOUND */
  reservation(id: string): Reservation {
    const reservation = this.reservations.get(id);
    if (!reservation) throw notFound('reservation');
    return reservation;
  }

  has(reservationId: string): boolean {
    return this.reservations.has(reservationId);
  }

  /** The plan's price of each night. @throws DomainError RATE_NOT_AVAILABLE (409), naming the first night without one */
  priceNights(ratePlanId: string, roomTypeId: string, nights: readonly IsoDate[]): number[] {
    const ranges = this.prices.get(key(ratePlanId, roomTypeId)) ?? [];
    return nights.map((night) => {
      const range = ranges.find(({ from, to }) => from <= night && (to === null || night < to));
      if (!range)
        throw conflict('RATE_NOT_AVAILABLE', `The rate plan has no price for the night of ${night}.`, {
          night,
        });
      return range.amountMinor;
    });
  }

  /** Rooms of a type still free in a night. */
  available(roomTypeId: string, night: IsoDate): number {
    const counter = this.counters.get(key(roomTypeId, night));
    return counter ? counter.rooms - counter.sold : 0;
  }

  nextConfirmationNumber(): string {
    const number = this.numbers.shift();
    if (number === undefined) throw new RangeError('fewer confirmation numbers than creations');
    return number;
  }

  /**
   * Puts `after` in place of `before`: gives back its nights, takes the new ones, all or none.
   * @throws DomainError NO_AVAILABILITY (409), naming the first night lacking
   */
  put(before: Reservation | null, after: Reservation): void {
    const net = new Map<string, { roomTypeId: string; night: IsoDate; delta: number }>();
    const count = (reservation: Reservation | null, delta: number): void => {
      if (!reservation || !takesNights(reservation.status)) return;
      const { roomTypeId, arrival, departure } = reservation;
      for (const night of nightsOf(arrival, departure)) {
        const id = key(roomTypeId, night);
        net.set(id, { roomTypeId, night, delta: (net.get(id)?.delta ?? 0) + delta });
      }
    };
    count(before, -1);
    count(after, +1);
    for (const { roomTypeId, night, delta } of [...net.values()].sort((a, b) => (a.night < b.night ? -1 : 1)))
      if (delta > 0 && this.available(roomTypeId, night) < delta)
        throw conflict('NO_AVAILABILITY', `No room of this type is free in the night of ${night}.`, {
          roomTypeId,
          night,
        });
    for (const [id, { delta }] of net) {
      if (delta === 0) continue;
      const counter = this.counters.get(id)!;
      this.counters.set(id, { ...counter, sold: counter.sold + delta });
      this.touched.add(id);
    }
    this.reservations.set(after.reservationId, after);
  }

  /** The counters that changed, as they are now. */
  changedNights(): NightCounter[] {
    return [...this.touched].map((id) => this.counters.get(id)!);
  }
}
