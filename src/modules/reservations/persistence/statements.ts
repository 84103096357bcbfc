import type { Claim, StoredAnswer } from '../../../platform/database/idempotency.js';
import { RowList } from '../../../platform/database/row-list.js';
import { sql } from '../../../platform/database/sql.js';
import { appendChangesCtes, appended, type AuditRow } from '../../outbox/contract/append-changes.js';
import type { NewEvent } from '../../outbox/contract/events.js';
import type { NightCounter } from '../domain/house.js';
import type { Reservation } from '../domain/reservation.js';
import { RESERVATION_COLUMNS } from './reservation-row.js';

// In a sub-select: seeing how short a list is, the planner would find the plan of each call cheaper than the one that it keeps, and plan
// anew for as long as it runs. The cast makes an ANY take it for one list, and not for rows.
const list = (parameter: number, type: string): string => `(SELECT $${parameter}::${type}[])::${type}[]`;

/** Locks reservations in the order of their ids, before any night: everyone locks in that order. $1 tenant, $2 ids. */
export const LOCK_RESERVATIONS = sql(
  'reservations.lock',
  `SELECT ${RESERVATION_COLUMNS} FROM reservations r
    WHERE r.tenant_id = $1 AND r.reservation_id = ANY(${list(2, 'uuid')})
    ORDER BY r.reservation_id FOR UPDATE`,
);

// The lateral sub-selects can't be flattened (OFFSET 0, FOR UPDATE), so each wanted row is one look into the primary key,
// in the order of the outer list. As joins they were hashed against every row of a tenant that the statistics don't know
// yet: 13,500 rows read for two.
const house = (lock: string): string => `
  SELECT now() AS now,
    (SELECT json_agg(json_build_object('propertyId', property_id, 'currency', currency, 'businessDate', business_date))
       FROM properties WHERE tenant_id = $1 AND property_id = ANY(${list(2, 'uuid')})) AS properties,
    (SELECT json_agg(json_build_object('roomTypeId', room_type_id, 'propertyId', property_id, 'maxOccupancy', max_occupancy))
       FROM room_types WHERE tenant_id = $1 AND room_type_id = ANY(${list(3, 'uuid')})) AS "roomTypes",
    (SELECT json_agg(json_build_object('ratePlanId', rate_plan_id, 'propertyId', property_id, 'active', active))
       FROM rate_plans WHERE tenant_id = $1 AND rate_plan_id = ANY(${list(4, 'uuid')})) AS "ratePlans",
    (SELECT json_agg(guest_id) FROM guests WHERE tenant_id = $1 AND guest_id = ANY(${list(5, 'uuid')})) AS "guestIds",
    (SELECT json_agg(json_build_object('ratePlanId', p.rate_plan_id, 'roomTypeId', p.room_type_id,
              'from', p.from_date, 'to', p.to_date, 'amountMinor', p.amount_minor))
       FROM unnest(${list(6, 'uuid')}, ${list(7, 'uuid')}, ${list(8, 'date')}, ${list(9, 'date')}) AS s(plan, type, first, past)
       CROSS JOIN LATERAL (
         SELECT * FROM rate_plan_prices
          WHERE tenant_id = $1 AND rate_plan_id = s.plan AND room_type_id = s.type
            AND from_date < s.past AND (to_date IS NULL OR to_date > s.first) OFFSET 0) p) AS prices,
    (SELECT json_agg(json_build_object('roomTypeId', n.room_type_id, 'night', n.night, 'rooms', n.rooms, 'sold', n.sold))
       FROM (SELECT * FROM unnest(${list(10, 'uuid')}, ${list(11, 'date')}) AS w(type, night) ORDER BY type, night) w
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
       FROM unnest(${list(13, 'text')}, ${list(14, 'text')}) AS c(principal, key)
       CROSS JOIN LATERAL (
         SELECT * FROM idempotency_keys WHERE tenant_id = $1 AND principal = c.principal AND key = c.key OFFSET 0) k) AS kept`,
);

/** As READ_HOUSE, for looking only: no locks, no numbers, no keys. */
export const LOOK_AT_HOUSE = sql('reservations.look_at_house', house('OFFSET 0'));

/** An answer to keep under the key that its request came with. */
export interface KeptAnswer {
  readonly claim: Claim;
  readonly answer: StoredAnswer;
}

/** What became of a row of an import. */
export interface LedgerRow {
  readonly importId: string;
  readonly rowNumber: number;
  readonly outcome: 'ACCEPTED' | 'REFUSED';
  readonly code?: string;
  readonly reason?: string;
  readonly reservationId?: string;
}

const RESERVATIONS = new RowList<Reservation>({
  reservation_id: ['uuid', (r) => r.reservationId],
  property_id: ['uuid', (r) => r.propertyId],
  confirmation_number: ['text', (r) => r.confirmationNumber],
  status: ['text', (r) => r.status],
  room_type_id: ['uuid', (r) => r.roomTypeId],
  rate_plan_id: ['uuid', (r) => r.ratePlanId],
  guest_id: ['uuid', (r) => r.guestId],
  arrival: ['date', (r) => r.arrival],
  departure: ['date', (r) => r.departure],
  day_use: ['boolean', (r) => r.dayUse],
  adults: ['smallint', (r) => r.adults],
  children: ['smallint', (r) => r.children],
  babies: ['smallint', (r) => r.babies],
  currency: ['text', (r) => r.currency],
  nightly_minor: ['bigint[]', (r) => `{${r.nightlyMinor.join(',')}}`],
  override_reason: ['text', (r) => r.overrideReason],
  hold_expires_at: ['timestamptz', (r) => r.holdExpiresAt?.toISOString()],
  cancel_reason: ['text', (r) => r.cancelReason],
  room_number: ['text', (r) => r.roomNumber],
  origin: ['text', (r) => r.origin],
  external_id: ['text', (r) => r.externalId],
  version: ['int', (r) => r.version],
});

const NIGHTS = new RowList<NightCounter>({
  room_type_id: ['uuid', (n) => n.roomTypeId],
  night: ['date', (n) => n.night],
  rooms: ['int', (n) => n.rooms],
  sold: ['int', (n) => n.sold],
});

const KEPT = new RowList<KeptAnswer>({
  principal: ['text', ({ claim }) => claim.principal],
  key: ['text', ({ claim }) => claim.key],
  hash: ['text', ({ claim }) => claim.requestHash],
  status: ['smallint', ({ answer }) => answer.status],
  headers: ['json', ({ answer }) => JSON.stringify(answer.headers)],
  // Which is JSON.
  body: ['json', ({ answer }) => answer.body],
});

const LEDGER = new RowList<LedgerRow>({
  import_id: ['uuid', (row) => row.importId],
  row_number: ['int', (row) => row.rowNumber],
  outcome: ['text', (row) => row.outcome],
  code: ['text', (row) => row.code],
  reason: ['text', (row) => row.reason],
  reservation_id: ['uuid', (row) => row.reservationId],
});

/** The tenant, what an incomplete write fails with, and how many reservations make it complete; then the lists. */
const FIRST_LIST = 4;
const NIGHTS_AT = FIRST_LIST + RESERVATIONS.width;
const KEPT_AT = NIGHTS_AT + NIGHTS.width;
const LEDGER_AT = KEPT_AT + KEPT.width;
const APPENDED_AT = LEDGER_AT + LEDGER.width;

/** What a list of commands decided, to be written. */
export interface Written {
  readonly reservations: readonly Reservation[];
  readonly nights: readonly NightCounter[];
  readonly kept: readonly KeptAnswer[];
  readonly ledger: readonly LedgerRow[];
  readonly events: readonly NewEvent[];
  readonly audit: readonly AuditRow[];
}

/** The parameters of WRITE. @param incomplete SQLSTATE of a write that finds a reservation where it isn't expected */
export const writeValues = (tenantId: string, incomplete: string, written: Written): unknown[] => [
  tenantId,
  incomplete,
  written.reservations.length,
  ...RESERVATIONS.values(written.reservations),
  ...NIGHTS.values(written.nights),
  ...KEPT.values(written.kept),
  ...LEDGER.values(written.ledger),
  ...appended(written.events, written.audit),
];

/**
 * Writes all that a list of commands decided, in one statement without a join: the upserts look into the primary key row by
 * row, whatever the statistics say. Reservations and counters are locked, so counters are set to what was decided; the
 * CHECK has the last word. Fails unless it wrote $3 reservations: the upsert passes over one that is there in another version in
 * silence. With a creation among them $2 is 23505: it has met an id that is taken, as a plain insert would tell.
 * $1 tenant.
 */
export const WRITE = sql(
  'reservations.write',
  `WITH written AS (
    INSERT INTO reservations AS r (tenant_id, ${RESERVATIONS.names}, created_at, updated_at)
    SELECT $1, ${RESERVATIONS.names}, now(), now() FROM ${RESERVATIONS.from(FIRST_LIST)} w
    ON CONFLICT (tenant_id, reservation_id) DO UPDATE SET status = excluded.status, room_type_id = excluded.room_type_id,
      rate_plan_id = excluded.rate_plan_id, arrival = excluded.arrival, departure = excluded.departure,
      day_use = excluded.day_use, adults = excluded.adults, children = excluded.children, babies = excluded.babies,
      nightly_minor = excluded.nightly_minor, override_reason = excluded.override_reason,
      hold_expires_at = excluded.hold_expires_at, cancel_reason = excluded.cancel_reason,
      room_number = excluded.room_number, version = excluded.version, updated_at = now()
      WHERE r.version = excluded.version - 1
    RETURNING 1),
  counted AS (
    INSERT INTO inventory_nights AS i (tenant_id, ${NIGHTS.names})
    SELECT $1, ${NIGHTS.names} FROM ${NIGHTS.from(NIGHTS_AT)} n
    ON CONFLICT (tenant_id, room_type_id, night) DO UPDATE SET sold = excluded.sold),
  ${appendChangesCtes(1, APPENDED_AT)},
  kept AS (
    INSERT INTO idempotency_keys (tenant_id, principal, key, request_hash, status, headers, body)
    SELECT $1, principal, key, decode(hash, 'hex'), status, headers, body FROM ${KEPT.from(KEPT_AT)} k),
  ledgered AS (
    INSERT INTO import_ledger (tenant_id, ${LEDGER.names})
    SELECT $1, ${LEDGER.names} FROM ${LEDGER.from(LEDGER_AT)} l)
  SELECT app.require((SELECT count(*) FROM written) = $3::int, $2, 'reservations_pkey')`,
);
