import { sql } from '../../../platform/database/sql.js';

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

/** Numbers of nights, where there are any: each with its distance in days from the first night that was asked for. */
export interface BookedNights {
  readonly days: readonly number[];
  readonly bookedRooms: readonly number[];
  readonly bookedRevenueMinor: readonly number[];
  readonly stayedRooms: readonly number[];
  readonly stayedRevenueMinor: readonly number[];
}

// One row of arrays, since a night's row costs more to send and to read than to find.
const list = (expression: string): string => `coalesce(array_to_json(array_agg(${expression})), '[]')`;

/** The occupied nights of [$3, $4): one row. */
export const READ_BOOKED = sql(
  'occupancy.read_booked',
  `SELECT ${list('night - $3::date')} AS days, ${list('booked_rooms')} AS "bookedRooms",
          ${list('booked_revenue_minor')} AS "bookedRevenueMinor", ${list('stayed_rooms')} AS "stayedRooms",
          ${list('stayed_revenue_minor')} AS "stayedRevenueMinor"
     FROM occupancy_nights WHERE tenant_id = $1 AND property_id = $2 AND night >= $3 AND night < $4`,
);

export interface CapacityNights {
  readonly days: readonly number[];
  readonly rooms: readonly number[];
}

/** The nights of [$3, $4) with rooms to sell: one row. */
export const READ_CAPACITY = sql(
  'occupancy.read_capacity',
  `SELECT ${list('night - $3::date')} AS days, ${list('rooms')} AS rooms
     FROM capacity_nights WHERE tenant_id = $1 AND property_id = $2 AND night >= $3 AND night < $4`,
);
