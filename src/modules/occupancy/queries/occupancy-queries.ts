import { Inject, Injectable } from '@nestjs/common';
import type { OpContext } from '../../../platform/context/op-context.js';
import { requireRange } from '../../../platform/http/ranges.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import { notFound } from '../../../platform/kernel/errors.js';
import { PROPERTY, READ_NIGHTS } from '../persistence/occupancy-statements.js';

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
  readonly nights: readonly (Occupancy & { readonly night: IsoDate })[];
  readonly totals: Occupancy;
}

type NightRow = Omit<Occupancy, 'occupancyPercent'> & { readonly night: IsoDate };

/** Reads of the occupancy read model, in the caller's tenant. */
@Injectable()
export class OccupancyQueries {
  constructor(@Inject(UnitOfWork) private readonly uow: UnitOfWork) {}

  /**
   * The nights of `[from, to)`, at most 400.
   * @throws DomainError RANGE_INVALID, RANGE_TOO_LONG, PROPERTY_NOT_FOUND
   */
  async report(ctx: OpContext, propertyId: string, from: IsoDate, to: IsoDate): Promise<OccupancyReport> {
    requireRange(from, to, MAX_NIGHTS);
    return this.uow.run(ctx, 'occupancy.read', async (tx) => {
      const [[property], rows] = await Promise.all([
        tx.query<{ currency: string }>(PROPERTY, [ctx.tenantId, propertyId]),
        tx.query<NightRow>(READ_NIGHTS, [ctx.tenantId, propertyId, from, to]),
      ]);
      if (!property) throw notFound('property');
      const nights = rows.map((row) => ({ ...row, occupancyPercent: percent(row.bookedRooms, row.rooms) }));
      return { propertyId, currency: property.currency, from, to, nights, totals: totalsOf(rows) };
    });
  }
}

function totalsOf(rows: readonly NightRow[]): Occupancy {
  const sum = (of: (row: NightRow) => number): number => rows.reduce((total, row) => total + of(row), 0);
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
