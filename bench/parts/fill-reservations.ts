import { confirmationNumber } from '../../src/modules/reservations/domain/confirmation-number.js';
import { createHouse, withClient, type TestHouse } from '../../test/support/fixtures.js';
import type { Ground } from '../ground.js';

/** Nights that the houses have opened; stays lie anywhere in them. */
export const OPEN_NIGHTS = 400;
/** Reservations of a house, on average: a year of a house of two hundred rooms. */
const OF_A_HOUSE = 10_000;
const TYPES = 10;
const ROOMS = 40;
/** Rooms of each type of the first house: more than a load can sell. */
export const PLENTY = 100_000;
const LONGEST = 3;
/** Reservations that go in at once. */
const CHUNK = 250_000;

const HOUSES = `
  INSERT INTO properties (tenant_id, property_id, code, name, time_zone, currency, business_date)
  SELECT tenant_id, uuidv7(), 'HOUSE-' || n, 'House ' || n, time_zone, currency, business_date
    FROM properties, generate_series(2, $2::int) AS n WHERE tenant_id = $1`;
const ROOM_TYPES = `
  INSERT INTO room_types (tenant_id, room_type_id, property_id, code, name, base_occupancy, max_occupancy, rooms)
  SELECT tenant_id, uuidv7(), property_id, 'T' || n, 'Type ' || n, 1, 2, ${ROOMS}
    FROM properties, generate_series(1, ${TYPES}) AS n WHERE tenant_id = $1 AND code <> 'HOUSE'`;
const TYPE_LIST = `
  INSERT INTO types SELECT row_number() OVER (ORDER BY property_id, room_type_id) - 1, property_id, room_type_id
    FROM room_types WHERE tenant_id = $1`;

/** $1 confirmation numbers, $2 the business date, $3 the rate plan. */
const MADE = `
  INSERT INTO made
  SELECT id, uuidv7(), number, property_id, room_type_id, arrival, arrival + nights, nights,
         json_build_object('propertyId', property_id, 'confirmationNumber', number, 'status', 'CONFIRMED',
           'roomTypeId', room_type_id, 'ratePlanId', $3::text, 'guestId', id, 'arrival', arrival, 'departure', arrival + nights,
           'dayUse', false, 'adults', 2, 'children', 0, 'babies', 0, 'currency', 'EUR',
           'nightlyMinor', array_fill(10000, ARRAY[nights]), 'roomNumber', null, 'origin', 'http', 'externalId', null,
           'previous', null)
    FROM (SELECT uuidv7() AS id, number, floor(random() * (SELECT count(*) FROM types))::int AS type,
                 $2::date + floor(random() * ${OPEN_NIGHTS - LONGEST + 1})::int AS arrival,
                 1 + floor(random() * ${LONGEST})::int AS nights FROM unnest($1::text[]) AS number) s
    JOIN types USING (type)`;

/** What a booking leaves behind once it is applied, from `made`. $1 tenant. */
const LEFT_BEHIND = [
  `INSERT INTO reservations (tenant_id, reservation_id, property_id, confirmation_number, status, room_type_id, rate_plan_id,
     guest_id, arrival, departure, day_use, adults, children, babies, currency, nightly_minor, origin)
   SELECT $1, id, property_id, number, 'CONFIRMED', room_type_id, (data->>'ratePlanId')::uuid, gen_random_uuid(), arrival, departure,
          false, 2, 0, 0, 'EUR', array_fill(10000::bigint, ARRAY[nights]), 'http' FROM made`,
  `WITH e AS (
     INSERT INTO outbox_events (tenant_id, aggregate_id, key_seq, occurred_at, event_id, aggregate_type, event_type, event_version,
       data, correlation_id, traceparent, actor, received_at)
     SELECT $1, id, 1, now(), uuidv7(), 'reservation', 'reservation.created', 1, data, correlation_id,
            '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'bench', now() FROM made
     RETURNING tenant_id, aggregate_id, key_seq, occurred_at, event_id),
   p AS (INSERT INTO event_receipts (tenant_id, aggregate_id, key_seq, occurred_at, partition, log_offset)
     SELECT tenant_id, aggregate_id, key_seq, occurred_at, 0, row_number() OVER () FROM e),
   i AS (INSERT INTO event_inbox (tenant_id, aggregate_id, key_seq, occurred_at, event_id, consumed_at)
     SELECT tenant_id, aggregate_id, key_seq, occurred_at, event_id, now() FROM e)
   INSERT INTO event_key_marks (tenant_id, aggregate_id, applied_seq) SELECT tenant_id, aggregate_id, key_seq FROM e`,
];

/** What it leaves behind that only bookings meet again. $1 tenant. */
const OF_WRITES = [
  `INSERT INTO audit_log (tenant_id, audit_id, actor, source, ip, action, resource_type, resource_id, correlation_id, changes)
   SELECT $1, uuidv7(), 'bench', 'http', '127.0.0.1', 'reservation.created', 'reservation', id, correlation_id, data FROM made`,
  `INSERT INTO idempotency_keys (tenant_id, principal, key, request_hash, status, headers, body)
   SELECT $1, 'bench', gen_random_uuid()::text, sha256(number::bytea), 201, '{"content-type": "application/json; charset=utf-8"}',
          data::text || repeat(' ', 400) FROM made`,
];

/**
 * The counters as the reservations have them. $1 tenant, $2 business date. Those of the inventory lie as they are opened, type by type
 * and night by night; the occupancy comes as the bookings do, in no order.
 */
const COUNTED = [
  `INSERT INTO inventory_nights AS i (tenant_id, room_type_id, night, rooms, sold)
   SELECT t.tenant_id, t.room_type_id, n.night, t.rooms, coalesce(s.sold, 0)
     FROM room_types t
     CROSS JOIN (SELECT $2::date + n AS night FROM generate_series(0, ${OPEN_NIGHTS - 1}) AS n) n
     LEFT JOIN (SELECT room_type_id, night::date, count(*)::int AS sold
                  FROM reservations, generate_series(arrival, departure - 1, interval '1 day') AS night
                 WHERE tenant_id = $1 GROUP BY 1, 2) s ON s.room_type_id = t.room_type_id AND s.night = n.night
    WHERE t.tenant_id = $1 ORDER BY t.room_type_id, n.night
   ON CONFLICT (tenant_id, room_type_id, night) DO UPDATE SET sold = excluded.sold`,
  `INSERT INTO capacity_nights (tenant_id, property_id, night, rooms)
   SELECT tenant_id, property_id, night, sum(i.rooms)
     FROM inventory_nights i JOIN room_types t USING (tenant_id, room_type_id)
    WHERE tenant_id = $1 AND night >= $2 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
   ON CONFLICT DO NOTHING`,
  `INSERT INTO occupancy_nights (tenant_id, property_id, night, booked_rooms, booked_revenue_minor)
   SELECT tenant_id, property_id, night, sum(sold), 10000 * sum(sold)
     FROM inventory_nights JOIN room_types USING (tenant_id, room_type_id)
    WHERE tenant_id = $1 AND night >= $2 GROUP BY 1, 2, 3 HAVING sum(sold) > 0 ORDER BY random()`,
];

/**
 * A tenant with so many reservations on record, of one to three nights, each with what a booking and its event leave behind:
 * spread over houses of ten types and 400 nights. Ids and numbers are as the application gives them. Past the foreign keys and
 * the triggers; the guests are not there.
 * @param options.written audit rows and kept answers as well
 * @returns the first house, whose rooms don't run out
 */
export async function fillReservations(
  on: Ground,
  many: number,
  { written = false, say }: { written?: boolean; say: (line: string) => void },
): Promise<TestHouse> {
  say(`filling ${many.toLocaleString('en')} reservations`);
  const at = on.database;
  const house = await createHouse(at, { rooms: PLENTY, types: TYPES, nights: OPEN_NIGHTS });
  const { tenantId, ratePlanId, businessDate } = house;
  await withClient(at.superUrl, async (client) => {
    await client.query(`SET session_replication_role = replica; SELECT setseed(0.5);
      CREATE TEMP TABLE types (type int, property_id uuid, room_type_id uuid);
      CREATE TEMP TABLE made (id uuid, correlation_id uuid, number text, property_id uuid, room_type_id uuid, arrival date,
        departure date, nights int, data json)`);
    await client.query(HOUSES, [tenantId, Math.max(2, Math.ceil(many / OF_A_HOUSE))]);
    await client.query(ROOM_TYPES, [tenantId]);
    await client.query(TYPE_LIST, [tenantId]);
    for (let left = many; left > 0; left -= CHUNK) {
      const { rows } = await client.query<{ n: number }>(
        `SELECT nextval('confirmation_numbers') AS n FROM generate_series(1, $1)`,
        [Math.min(CHUNK, left)],
      );
      await client.query('TRUNCATE made');
      await client.query(MADE, [rows.map(({ n }) => confirmationNumber(n)), businessDate, ratePlanId]);
      for (const insert of [...LEFT_BEHIND, ...(written ? OF_WRITES : [])])
        await client.query(insert, [tenantId]);
    }
    for (const insert of COUNTED) await client.query(insert, [tenantId, businessDate]);
    // Now, and not by autovacuum in the midst of a measure.
    await client.query('VACUUM (ANALYZE)');
    await client.query('CHECKPOINT');
  });
  return house;
}
