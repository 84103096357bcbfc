import { dateOfDay, dayNumber, type IsoDate } from '../../../platform/kernel/dates.js';

/** The part of an event that occupancy reads. */
interface OccupancyEvent {
  readonly tenantId: string;
  readonly aggregateType: string;
  readonly data: Record<string, unknown>;
}

/** The part of a reservation's state that occupancy is made of. */
interface StayState {
  readonly propertyId: string;
  readonly status: string;
  readonly arrival: IsoDate;
  /** One amount a night from the arrival on; minor units. */
  readonly nightlyMinor: readonly number[];
}

/** What a batch of events changes on one night of one property. */
export interface OccupancyDelta {
  readonly tenantId: string;
  readonly propertyId: string;
  readonly night: IsoDate;
  readonly bookedRooms: number;
  readonly bookedRevenueMinor: number;
  readonly stayedRooms: number;
  readonly stayedRevenueMinor: number;
}

const BOOKED = new Set(['CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT']);
const STAYED = new Set(['CHECKED_OUT']);

/**
 * The change of occupancy that events make together: the contribution of each reservation after the event less the one
 * before it, by tenant, property and night. Nights on which nothing changes are left out; the rest come in key order, the
 * order in which every consumer locks them.
 */
export function occupancyDeltas(events: readonly OccupancyEvent[]): OccupancyDelta[] {
  const sums = new Map<string, { -readonly [K in keyof OccupancyDelta]: OccupancyDelta[K] }>();
  for (const { aggregateType, tenantId, data } of events) {
    if (aggregateType !== 'reservation') continue;
    const { previous } = data as { previous?: StayState | null };
    contribute(sums, tenantId, data as unknown as StayState, 1);
    if (previous) contribute(sums, tenantId, previous, -1);
  }
  return [...sums.entries()]
    .filter(
      ([, sum]) => sum.bookedRooms || sum.bookedRevenueMinor || sum.stayedRooms || sum.stayedRevenueMinor,
    )
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, sum]) => sum);
}

function contribute(
  sums: Map<string, { -readonly [K in keyof OccupancyDelta]: OccupancyDelta[K] }>,
  tenantId: string,
  { propertyId, status, arrival, nightlyMinor }: StayState,
  sign: 1 | -1,
): void {
  if (!BOOKED.has(status)) return;
  const first = dayNumber(arrival);
  nightlyMinor.forEach((amount, i) => {
    const night = dateOfDay(first + i);
    const key = `${tenantId}/${propertyId}/${night}`;
    let sum = sums.get(key);
    if (!sum) {
      sum = {
        tenantId,
        propertyId,
        night,
        bookedRooms: 0,
        bookedRevenueMinor: 0,
        stayedRooms: 0,
        stayedRevenueMinor: 0,
      };
      sums.set(key, sum);
    }
    sum.bookedRooms += sign;
    sum.bookedRevenueMinor += sign * amount;
    if (!STAYED.has(status)) return;
    sum.stayedRooms += sign;
    sum.stayedRevenueMinor += sign * amount;
  });
}
