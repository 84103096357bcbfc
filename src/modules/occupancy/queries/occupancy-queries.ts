import { Inject, Injectable } from '@nestjs/common';
import type { OpContext } from '../../../platform/context/op-context.js';
import { requireRange } from '../../../platform/http/ranges.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { dateOfDay, dayNumber, nightsBetween, type IsoDate } from '../../../platform/kernel/dates.js';
import type { Versioned } from '../../../platform/kernel/versioned.js';
import { readAtVersion } from '../../properties/contract/property-version.js';
import { type OccupancyNights, READ_OCCUPANCY } from '../persistence/occupancy-statements.js';

/** Longest range of one query, in nights. */
export const MAX_NIGHTS = 400;

/** Occupancy and revenue of some nights. Revenue in minor units, of the prices agreed for the nights. */
export interface Occupancy {
  /** Confirmed, in house or left. */
  readonly bookedRooms: number;
  readonly bookedRevenueMinor: number;
  /** Left. */
  readonly stayedRooms: number;
  readonly stayedRevenueMinor: number;
  /** Rooms that the property has to sell. */
  readonly rooms: number;
  /** Booked of all rooms, in percent with two decimals; null without rooms. */
  readonly occupancyPercent: number | null;
}

/** What the consumer has projected so far: it follows the bookings by milliseconds, and catches up after an outage. */
export interface OccupancyReport {
  readonly propertyId: string;
  readonly currency: string;
  readonly from: IsoDate;
  readonly to: IsoDate;
  readonly nights: readonly Night[];
  readonly totals: Occupancy;
}

/** What happens on one night. */
type Night = Occupancy & { readonly night: IsoDate };

/** Reads of the occupancy read model, in the caller's tenant. */
@Injectable()
export class OccupancyQueries {
  constructor(@Inject(UnitOfWork) private readonly uow: UnitOfWork) {}

  /**
   * The nights of `[from, to)`, at most 400; nothing when the property's version is `known`.
   * @throws DomainError RANGE_INVALID, RANGE_TOO_LONG, PROPERTY_NOT_FOUND
   */
  async report(
    ctx: OpContext,
    propertyId: string,
    from: IsoDate,
    to: IsoDate,
    known: string | null,
  ): Promise<Versioned<OccupancyReport>> {
    requireRange(from, to, MAX_NIGHTS);
    const { version, data } = await this.uow.read(ctx, 'occupancy.read', (tx) =>
      readAtVersion<OccupancyNights>(tx, READ_OCCUPANCY, propertyId, known, [from, to]),
    );
    if (!data) return { version, data };
    const nights = nightly(from, nightsBetween(from, to), data);
    return {
      version,
      data: { propertyId, currency: data.currency, from, to, nights, totals: totalsOf(nights) },
    };
  }
}

/** So many nights from `from` on, each with what is known of it. */
function nightly(from: IsoDate, count: number, { booked, capacity }: OccupancyNights): Night[] {
  const first = dayNumber(from);
  const rooms = new Array<number>(count).fill(0);
  capacity.days?.forEach((day, i) => (rooms[day] = capacity.rooms[i]!));
  const nights = rooms.map((of, day): Night => ({
    night: dateOfDay(first + day),
    ...NOBODY,
    rooms: of,
    occupancyPercent: percent(0, of),
  }));
  booked.days?.forEach((day, i) => {
    const bookedRooms = booked.bookedRooms[i]!;
    nights[day] = {
      night: dateOfDay(first + day),
      bookedRooms,
      bookedRevenueMinor: booked.bookedRevenueMinor[i]!,
      stayedRooms: booked.stayedRooms[i]!,
      stayedRevenueMinor: booked.stayedRevenueMinor[i]!,
      rooms: rooms[day]!,
      occupancyPercent: percent(bookedRooms, rooms[day]!),
    };
  });
  return nights;
}

const NOBODY = { bookedRooms: 0, bookedRevenueMinor: 0, stayedRooms: 0, stayedRevenueMinor: 0 };

function totalsOf(rows: readonly Occupancy[]): Occupancy {
  const sum = (of: (row: Occupancy) => number): number => rows.reduce((total, row) => total + of(row), 0);
  const bookedRooms = sum((row) => row.bookedRooms);
  const rooms = sum((row) => row.rooms);
  return {
    bookedRooms,
    bookedRevenueMinor: sum((row) => row.bookedRevenueMinor),
    stayedRooms: sum((row) => row.stayedRooms),
    stayedRevenueMinor: sum((row) => row.stayedRevenueMinor),
    rooms,
    occupancyPercent: percent(bookedRooms, rooms),
  };
}

const percent = (part: number, whole: number): number | null =>
  whole === 0 ? null : Math.round((part / whole) * 10_000) / 100;
