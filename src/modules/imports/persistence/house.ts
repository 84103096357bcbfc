import { sql } from '../../../platform/database/sql.js';

/** A property by its code. $1 tenant, $2 code. */
export const PROPERTY_BY_CODE = sql(
  'imports.property_by_code',
  `SELECT property_id AS "propertyId", business_date AS "businessDate" FROM properties WHERE tenant_id = $1 AND code = $2`,
);

/** $1 tenant, $2 property, $3 code. */
export const ROOM_TYPE_BY_CODE = sql(
  'imports.room_type_by_code',
  `SELECT room_type_id AS "roomTypeId", rooms FROM room_types WHERE tenant_id = $1 AND property_id = $2 AND code = $3`,
);

/** $1 tenant, $2 property. */
export const BAR_PLAN = sql(
  'imports.bar_plan',
  `SELECT rate_plan_id AS "ratePlanId" FROM rate_plans WHERE tenant_id = $1 AND property_id = $2 AND code = 'BAR'`,
);

/** The guest that an import books for: the file names nobody. $1 tenant, $2 last name. */
export const IMPORT_GUEST = sql(
  'imports.guest',
  `SELECT guest_id AS "guestId" FROM guests WHERE tenant_id = $1 AND last_name_key = lower($2) ORDER BY guest_id LIMIT 1`,
);
