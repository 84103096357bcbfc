import { sql } from '../../../platform/database/sql.js';
import type { Tx } from '../../../platform/database/unit-of-work.js';
import { addDays, type IsoDate } from '../../../platform/kernel/dates.js';

/** Nights from the business date that have a counter: arrivals up to 1,000 days ahead, stays of up to 365 nights, and one. */
export const HORIZON_NIGHTS = 1366;

/** The first night beyond the horizon. */
export const horizonEnd = (businessDate: IsoDate): IsoDate => addDays(businessDate, HORIZON_NIGHTS);

// Room types in the order of their ids: whoever touches the nights of several takes them in this order.
const EXTEND = sql(
  'inventory.extend_horizon',
  `INSERT INTO inventory_nights (tenant_id, room_type_id, night, rooms)
   SELECT t.tenant_id, t.room_type_id, last.night + n, t.rooms
     FROM room_types t
    CROSS JOIN LATERAL (SELECT max(night) AS night FROM inventory_nights i
                         WHERE i.tenant_id = t.tenant_id AND i.room_type_id = t.room_type_id) last
    CROSS JOIN LATERAL generate_series(1, $3::date - 1 - last.night) n
    WHERE t.tenant_id = $1 AND t.property_id = $2
    ORDER BY t.room_type_id, n`,
);

/**
 * Opens the nights that a new business date brings within the horizon, for every room type of the property.
 * The caller has locked the property, which keeps room types from being created or resized meanwhile.
 */
export async function extendHorizon(tx: Tx, propertyId: string, businessDate: IsoDate): Promise<void> {
  await tx.query(EXTEND, [tx.tenantId, propertyId, horizonEnd(businessDate)]);
}
