import { sql } from '../../../platform/database/sql.js';

/** Holds past their time, oldest first, of all tenants; the database's clock decides. $1 limit. */
export const DUE_HOLDS = sql(
  'reservations.due_holds',
  `SELECT tenant_id AS "tenantId", reservation_id AS "reservationId" FROM reservations
    WHERE status = 'HELD' AND hold_expires_at <= now() ORDER BY hold_expires_at LIMIT $1`,
);
