import { sql } from '../../../platform/database/sql.js';
import { appendChangesCtes } from '../../outbox/contract/append-changes.js';
import { RESERVATION_COLUMNS } from './reservation-row.js';

/** Locks reservations in the order of their ids, before any night: everyone locks in that order. $1 tenant, $2 ids. */
export const LOCK_RESERVATIONS = sql(
  'reservations.lock',
  `SELECT ${RESERVATION_COLUMNS} FROM reservations r
    WHERE r.tenant_id = $1 AND r.reservation_id = ANY($2::uuid[])
    ORDER BY r.reservation_id FOR UPDATE`,
);

// The lateral sub-selects can't be flattened (OFFSET 0, FOR UPDATE), so each wanted row is one look into the primary key,
// in the order of the outer list. As joins they were hashed against every row of a tenant that the statistics don't know
// yet: 13,500 rows read for two.
const house = (lock: string): string => `
  SELECT now() AS now,
    (SELECT json_agg(json_build_object('propertyId', property_id, 'currency', currency, 'businessDate', business_date))
       FROM properties WHERE tenant_id = $1 AND property_id = ANY($2::uuid[])) AS properties,
    (SELECT json_agg(json_build_object('roomTypeId', room_type_id, 'propertyId', property_id, 'maxOccupancy', max_occupancy))
       FROM room_types WHERE tenant_id = $1 AND room_type_id = ANY($3::uuid[])) AS "roomTypes",
    (SELECT json_agg(json_build_object('ratePlanId', rate_plan_id, 'propertyId', property_id, 'active', active))
       FROM rate_plans WHERE tenant_id = $1 AND rate_plan_id = ANY($4::uuid[])) AS "ratePlans",
    (SELECT json_agg(guest_id) FROM guests WHERE tenant_id = $1 AND guest_id = ANY($5::uuid[])) AS "guestIds",
    (SELECT json_agg(json_build_object('ratePlanId', p.rate_plan_id, 'roomTypeId', p.room_type_id,
              'from', p.from_date, 'to', p.to_date, 'amountMinor', p.amount_minor))
       FROM unnest($6::uuid[], $7::uuid[], $8::date[], $9::date[]) AS s(plan, type, first, past)
       CROSS JOIN LATERAL (
         SELECT * FROM rate_plan_prices
          WHERE tenant_id = $1 AND rate_plan_id = s.plan AND room_type_id = s.type
            AND from_date < s.past AND (to_date IS NULL OR to_date > s.first) OFFSET 0) p) AS prices,
    (SELECT json_agg(json_build_object('roomTypeId', n.room_type_id, 'night', n.night, 'rooms', n.rooms, 'sold', n.sold))
       FROM (SELECT * FROM unnest($10::uuid[], $11::date[]) AS w(type, night) ORDER BY type, night) w
       CROSS JOIN LATERAL (
         SELECT room_type_id, night, rooms, sold FROM inventory_nights
          WHERE tenant_id = $1 AND room_type_id = w.type AND night = w.night ${lock}) n) AS nights`;

/**
 * Everything a list of commands may look at, in one round trip; the nights are locked, in the one order of (type, night).
 * $1 tenant, $2 properties, $3 room types, $4 rate plans, $5 guests, $6-$9 spans to price (plan, type, first, past),
 * $10-$11 distinct nights (type, night), $12 numbers to draw, $13-$14 idempotency keys (principal, key).
 */
export const READ_HOUSE = sql(
  'reservations.read_house',
  `${house('FOR UPDATE')},
    (SELECT array_agg(nextval('confirmation_numbers')) FROM generate_series(1, $12::int)) AS numbers,
    (SELECT json_agg(json_build_object('principal', k.principal, 'key', k.key, 'hash', encode(k.request_hash, 'hex'),
              'status', k.status, 'headers', k.headers, 'body', k.body))
       FROM unnest($13::text[], $14::text[]) AS c(principal, key)
       CROSS JOIN LATERAL (
         SELECT * FROM idempotency_keys WHERE tenant_id = $1 AND principal = c.principal AND key = c.key OFFSET 0) k) AS kept`,
);

/** As READ_HOUSE, for looking only: no locks, no numbers, no keys. */
export const LOOK_AT_HOUSE = sql('reservations.look_at_house', house('OFFSET 0'));

/**
 * Writes all that a list of commands decided, in one statement without a join: the upserts look into the primary key row by
 * row, whatever the statistics say. Reservations and counters are locked, so counters are set to what was decided; the
 * CHECK has the last word. Fails unless it wrote $9 reservations: the upsert passes over one that is there in another version in
 * silence. With a creation among them $8 is 23505: it has met an id that is taken, as a plain insert would tell.
 * $1 tenant, then JSON lists: $2 reservations, $3 nights, $4 events, $5 audit rows, $6 kept answers, $7 import ledger.
 */
export const WRITE = sql(
  'reservations.write',
  `WITH written AS (
    INSERT INTO reservations AS r (tenant_id, reservation_id, property_id, confirmation_number, status, room_type_id,
      rate_plan_id, guest_id, arrival, departure, day_use, adults, children, babies, currency, nightly_minor,
      override_reason, hold_expires_at, cancel_reason, room_number, origin, external_id, version, created_at, updated_at)
    SELECT $1, w.*, now(), now() FROM json_to_recordset($2::json) AS w(
      reservation_id uuid, property_id uuid, confirmation_number text, status text, room_type_id uuid, rate_plan_id uuid,
      guest_id uuid, arrival date, departure date, day_use boolean, adults smallint, children smallint, babies smallint,
      currency text, nightly_minor bigint[], override_reason text, hold_expires_at timestamptz, cancel_reason text,
      room_number text, origin text, external_id text, version int)
    ON CONFLICT (tenant_id, reservation_id) DO UPDATE SET status = excluded.status, room_type_id = excluded.room_type_id,
      rate_plan_id = excluded.rate_plan_id, arrival = excluded.arrival, departure = excluded.departure,
      day_use = excluded.day_use, adults = excluded.adults, children = excluded.children, babies = excluded.babies,
      nightly_minor = excluded.nightly_minor, override_reason = excluded.override_reason,
      hold_expires_at = excluded.hold_expires_at, cancel_reason = excluded.cancel_reason,
      room_number = excluded.room_number, version = excluded.version, updated_at = now()
      WHERE r.version = excluded.version - 1
    RETURNING 1),
  counted AS (
    INSERT INTO inventory_nights AS i (tenant_id, room_type_id, night, rooms, sold)
    SELECT $1, n.* FROM json_to_recordset($3::json) AS n(room_type_id uuid, night date, rooms int, sold int)
    ON CONFLICT (tenant_id, room_type_id, night) DO UPDATE SET sold = excluded.sold),
  ${appendChangesCtes(1, 4, 5)},
  kept AS (
    INSERT INTO idempotency_keys (tenant_id, principal, key, request_hash, status, headers, body)
    SELECT $1, principal, key, decode(hash, 'hex'), status, headers, body
      FROM json_to_recordset($6::json) AS k(principal text, key text, hash text, status smallint, headers json, body text)),
  ledgered AS (
    INSERT INTO import_ledger (tenant_id, import_id, row_number, outcome, code, reason, reservation_id)
    SELECT $1, l.* FROM json_to_recordset($7::json)
      AS l(import_id uuid, row_number int, outcome text, code text, reason text, reservation_id uuid))
  SELECT app.require((SELECT count(*) FROM written) = $9::int, $8, 'reservations_pkey')`,
);
