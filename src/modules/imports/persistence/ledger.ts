import { sql } from '../../../platform/database/sql.js';

/** The import of a property. $1 tenant, $2 property. */
export const FIND_IMPORT = sql(
  'imports.find',
  `SELECT import_id AS "importId", file_sha256 AS "fileSha256" FROM imports
    WHERE tenant_id = $1 AND property_id = $2 AND kind = 'hotel-bookings'`,
);

/** $1 tenant, $2 id, $3 property, $4 SHA-256 of the file. */
export const CREATE_IMPORT = sql(
  'imports.create',
  `INSERT INTO imports (tenant_id, import_id, property_id, kind, file_sha256) VALUES ($1, $2, $3, 'hotel-bookings', $4)`,
);

/** Every row's outcome, and where its reservation stands. $1 tenant, $2 import. */
export const READ_LEDGER = sql(
  'imports.read_ledger',
  `SELECT l.row_number AS "rowNumber", l.code, l.reason, l.reservation_id AS "reservationId", r.status
     FROM import_ledger l LEFT JOIN reservations r ON r.tenant_id = l.tenant_id AND r.reservation_id = l.reservation_id
    WHERE l.tenant_id = $1 AND l.import_id = $2 ORDER BY l.row_number`,
);

/** What the accepted rows came to. $1 tenant, $2 import. */
export const SUM_UP = sql(
  'imports.sum_up',
  `SELECT count(*)::int AS accepted,
      count(*) FILTER (WHERE r.status = 'CHECKED_OUT')::int AS "checkedOut",
      count(*) FILTER (WHERE r.status = 'CANCELLED')::int AS cancelled,
      count(*) FILTER (WHERE r.status = 'NO_SHOW')::int AS "noShow",
      coalesce(sum(r.departure - r.arrival) FILTER (WHERE r.status = 'CHECKED_OUT'), 0)::bigint AS "roomNights",
      coalesce(sum((SELECT sum(n) FROM unnest(r.nightly_minor) AS n)) FILTER (WHERE r.status = 'CHECKED_OUT'), 0)::bigint
        AS "revenueMinor"
     FROM import_ledger l JOIN reservations r ON r.tenant_id = l.tenant_id AND r.reservation_id = l.reservation_id
    WHERE l.tenant_id = $1 AND l.import_id = $2`,
);

/** How far the consumer is with the import's reservations: a version is a command. $1 tenant, $2 import. */
export const PROGRESS = sql(
  'imports.progress',
  `SELECT coalesce(sum(coalesce(m.applied_seq, 0)), 0)::bigint AS applied,
      coalesce(sum(r.version - coalesce(m.applied_seq, 0)), 0)::bigint AS pending
     FROM import_ledger l
     JOIN reservations r ON r.tenant_id = l.tenant_id AND r.reservation_id = l.reservation_id
     LEFT JOIN event_key_marks m ON m.tenant_id = r.tenant_id AND m.aggregate_id = r.reservation_id
    WHERE l.tenant_id = $1 AND l.import_id = $2`,
);

/** Dead letters of the tenant. $1 tenant. */
export const DEAD_LETTERS = sql(
  'imports.dead_letters',
  `SELECT count(*)::int AS count FROM dead_letters WHERE tenant_id = $1`,
);

/** Nights on which the read model differs from a recount of the reservations; none is right. $1 tenant, $2 property. */
export const READ_MODEL_DIFFERENCES = sql(
  'imports.read_model_differences',
  `WITH recount AS (
      SELECT r.arrival + (n.ord - 1)::int AS night, count(*) AS booked_rooms, sum(n.amount) AS booked_revenue,
        count(*) FILTER (WHERE r.status = 'CHECKED_OUT') AS stayed_rooms,
        coalesce(sum(n.amount) FILTER (WHERE r.status = 'CHECKED_OUT'), 0) AS stayed_revenue
        FROM reservations r CROSS JOIN LATERAL unnest(r.nightly_minor) WITH ORDINALITY AS n(amount, ord)
       WHERE r.tenant_id = $1 AND r.property_id = $2 AND r.status IN ('CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT')
       GROUP BY 1),
    model AS (SELECT * FROM occupancy_nights WHERE tenant_id = $1 AND property_id = $2)
   SELECT count(*)::int AS count FROM recount FULL JOIN model USING (night)
    WHERE coalesce(recount.booked_rooms, 0) <> coalesce(model.booked_rooms, 0)
       OR coalesce(recount.booked_revenue, 0) <> coalesce(model.booked_revenue_minor, 0)
       OR coalesce(recount.stayed_rooms, 0) <> coalesce(model.stayed_rooms, 0)
       OR coalesce(recount.stayed_revenue, 0) <> coalesce(model.stayed_revenue_minor, 0)`,
);
