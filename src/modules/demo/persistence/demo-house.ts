import { sql } from '../../../platform/database/sql.js';

/** What there is of a house: room types and plans by code, what is priced, guests. $1 tenant, $2 property's code. */
export const DEMO_HOUSE = sql(
  'demo.house',
  `SELECT p.property_id AS "propertyId", p.business_date AS "businessDate",
      (SELECT coalesce(json_object_agg(code, room_type_id), '{}') FROM room_types t
        WHERE t.tenant_id = $1 AND t.property_id = p.property_id) AS "roomTypes",
      (SELECT coalesce(json_object_agg(code, rate_plan_id), '{}') FROM rate_plans r
        WHERE r.tenant_id = $1 AND r.property_id = p.property_id) AS plans,
      (SELECT coalesce(json_agg(DISTINCT rate_plan_id || ' ' || room_type_id), '[]') FROM rate_plan_prices r
        WHERE r.tenant_id = $1 AND r.property_id = p.property_id) AS priced,
      (SELECT count(*)::int FROM guests g WHERE g.tenant_id = $1) AS guests
     FROM properties p WHERE p.tenant_id = $1 AND p.code = $2`,
);
