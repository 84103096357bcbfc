import { sql, type Sql } from '../../../platform/database/sql.js';
import { RESERVATION_COLUMNS } from './reservation-row.js';

/** $1 tenant, $2 id. */
export const BY_ID = sql(
  'reservations.by_id',
  `SELECT ${RESERVATION_COLUMNS} FROM reservations r WHERE r.tenant_id = $1 AND r.reservation_id = $2`,
);

// $1 tenant, $2 property, $3 states, $4-$5 arrival from/to (inclusive), $6-$7 departure from/to, $8-$9 cursor, $10 limit.
const FILTERS = `r.tenant_id = $1
  AND ($2::uuid IS NULL OR r.property_id = $2)
  AND ($3::text[] IS NULL OR r.status = ANY($3))
  AND r.arrival BETWEEN coalesce($4::date, '-infinity') AND coalesce($5::date, 'infinity')
  AND r.departure BETWEEN coalesce($6::date, '-infinity') AND coalesce($7::date, 'infinity')
  AND (r.arrival, r.reservation_id) > (coalesce($8::date, '-infinity'), coalesce($9::uuid, '00000000-0000-0000-0000-000000000000'))`;

// Each owner (a property, a guest) is walked along its own index in the order of the page and stops at the limit; the
// pages of the owners are merged. One plan for one and for many owners, and none that sorts a million rows.
const perOwner = (owners: string, condition: string): string => `
  SELECT r.* FROM ${owners} CROSS JOIN LATERAL (
    SELECT ${RESERVATION_COLUMNS} FROM reservations r WHERE ${FILTERS} AND ${condition}
     ORDER BY r.arrival, r.reservation_id LIMIT $10) r
   ORDER BY r.arrival, r."reservationId" LIMIT $10`;

/** By property, or over all of a tenant's properties. */
export const SEARCH_BY_PROPERTY: Sql = sql(
  'reservations.search_by_property',
  perOwner(
    `(SELECT property_id FROM properties WHERE tenant_id = $1 AND ($2::uuid IS NULL OR property_id = $2)) o`,
    `r.property_id = o.property_id`,
  ),
);

/** By guest: $11 id. */
export const SEARCH_BY_GUEST: Sql = sql(
  'reservations.search_by_guest',
  perOwner(
    `(SELECT guest_id FROM guests WHERE tenant_id = $1 AND guest_id = $11) o`,
    `r.guest_id = o.guest_id`,
  ),
);

/** By guest: $11 the beginning of the last name, as a range of bytes: under row-level security LIKE uses no index. */
export const SEARCH_BY_NAME: Sql = sql(
  'reservations.search_by_name',
  perOwner(
    `(SELECT guest_id FROM guests WHERE tenant_id = $1
        AND last_name_key >= lower($11) AND last_name_key < lower($11) || chr(1114111)) o`,
    `r.guest_id = o.guest_id`,
  ),
);

/** By confirmation number: $11. */
export const SEARCH_BY_NUMBER: Sql = sql(
  'reservations.search_by_number',
  `SELECT ${RESERVATION_COLUMNS} FROM reservations r WHERE ${FILTERS} AND r.confirmation_number = $11
    ORDER BY r.arrival, r.reservation_id LIMIT $10`,
);
