import { sql } from '../../../platform/database/sql.js';
import { atVersion } from '../../properties/contract/property-version.js';

/** Adds differences to the nights; in key order, so that consumers of different partitions lock the same nights alike. */
export const ADD_DELTAS = sql(
  'occupancy.add_deltas',
  `INSERT INTO occupancy_nights AS o (tenant_id, property_id, night, booked_rooms, booked_revenue_minor, stayed_rooms, stayed_revenue_minor)
   SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::date[], $4::int[], $5::bigint[], $6::int[], $7::bigint[])
     AS d(tenant_id, property_id, night, booked_rooms, booked_revenue_minor, stayed_rooms, stayed_revenue_minor)
    ORDER BY d.tenant_id, d.property_id, d.night
   ON CONFLICT (tenant_id, property_id, night) DO UPDATE SET
     booked_rooms = o.booked_rooms + excluded.booked_rooms,
     booked_revenue_minor = o.booked_revenue_minor + excluded.booked_revenue_minor,
     stayed_rooms = o.stayed_rooms + excluded.stayed_rooms,
     stayed_revenue_minor = o.stayed_revenue_minor + excluded.stayed_revenue_minor`,
);

/** Numbers of nights, each with its distance in days from the first night that was asked for; all null where there is no night. */
export interface OccupancyNights {
  readonly currency: string;
  readonly booked: {
    readonly days: readonly number[] | null;
    readonly bookedRooms: readonly number[];
    readonly bookedRevenueMinor: readonly number[];
    readonly stayedRooms: readonly number[];
    readonly stayedRevenueMinor: readonly number[];
  };
  readonly capacity: { readonly days: readonly number[] | null; readonly rooms: readonly number[] };
}

// One object of lists, since a night's row costs more to send and to read than to find.
const list = (expression: string): string => `array_to_json(array_agg(${expression}))`;

/** The nights of [$4, $5) that are occupied, and those with rooms to sell. */
export const READ_OCCUPANCY = sql(
  'occupancy.read',
  atVersion(`json_build_object('currency', p.currency,
    'booked', (
      SELECT json_build_object('days', ${list('night - $4::date')}, 'bookedRooms', ${list('booked_rooms')},
               'bookedRevenueMinor', ${list('booked_revenue_minor')}, 'stayedRooms', ${list('stayed_rooms')},
               'stayedRevenueMinor', ${list('stayed_revenue_minor')})
        FROM occupancy_nights WHERE tenant_id = $1 AND property_id = $2 AND night >= $4 AND night < $5),
    'capacity', (
      SELECT json_build_object('days', ${list('night - $4::date')}, 'rooms', ${list('rooms')})
        FROM capacity_nights WHERE tenant_id = $1 AND property_id = $2 AND night >= $4 AND night < $5))`),
);
