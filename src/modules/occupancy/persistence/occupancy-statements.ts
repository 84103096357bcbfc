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

/** The property's currency; no row: no such property in this tenant. */
export const PROPERTY = sql(
  'occupancy.property',
  `SELECT currency FROM properties WHERE tenant_id = $1 AND property_id = $2`,
);

/**
 * Nights of [$3, $4) with occupancy and capacity, every night of the range, in order. Capacity type by type (OFFSET 0): as a join
 * it goes by night through every house of the tenant.
 */
export const READ_NIGHTS = sql(
  'occupancy.read_nights',
  `SELECT n.night::date AS night, coalesce(o.booked_rooms, 0) AS "bookedRooms",
          coalesce(o.booked_revenue_minor, 0) AS "bookedRevenueMinor", coalesce(o.stayed_rooms, 0) AS "stayedRooms",
          coalesce(o.stayed_revenue_minor, 0) AS "stayedRevenueMinor", coalesce(c.rooms, 0) AS rooms
     FROM generate_series($3::date, $4::date - 1, interval '1 day') AS n(night)
     LEFT JOIN occupancy_nights o ON o.tenant_id = $1 AND o.property_id = $2 AND o.night = n.night::date
     LEFT JOIN (
       SELECT i.night, sum(i.rooms)::int AS rooms
         FROM room_types t CROSS JOIN LATERAL (
           SELECT night, rooms FROM inventory_nights
            WHERE tenant_id = $1 AND room_type_id = t.room_type_id AND night >= $3::date AND night < $4::date OFFSET 0) i
        WHERE t.tenant_id = $1 AND t.property_id = $2
        GROUP BY i.night) c ON c.night = n.night::date
    ORDER BY n.night`,
);
