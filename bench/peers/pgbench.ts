import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestHouse } from '../../test/support/fixtures.js';
import type { Bed } from '../bed.js';
import { SPREAD_NIGHTS } from '../load/orders.js';
import { cpuMs, endedCpuMs } from '../process.js';
import type { Runner } from '../rounds.js';

const PROGRAM = '/usr/bin/pgbench';
/** As many connections as the service has. */
const CLIENTS = 10;
const THREADS = 2;
/** Of each stay: the mean of the other load. */
const NIGHTS = 2;

/**
 * A booking as a script of pgbench: what src/modules/reservations/persistence/statements.ts reads, locks and writes for one, each
 * step a prepared statement of its own. What needs nothing of each other goes in one round trip, five in all.
 */
function scriptOf({
  tenantId,
  propertyId,
  ratePlanId,
  guestId,
  roomTypeIds,
  businessDate,
}: TestHouse): string {
  const tenant = `tenant_id = '${tenantId}'`;
  const stay = `room_type_id = :room AND night >= :arrival AND night < :departure`;
  // Blanks after the colons: pgbench would take `:null` for a variable of its own.
  const data =
    `'{"propertyId": "${propertyId}","confirmationNumber": "' || :number || '","status": "CONFIRMED","roomTypeId": "' || :room || ` +
    `'","ratePlanId": "${ratePlanId}","guestId": "${guestId}","arrival": "' || :arrival || '","departure": "' || :departure || ` +
    `'","dayUse": false,"adults": 2,"children": 0,"babies": 0,"currency": "EUR","nightlyMinor": [10000,10000],"origin": "http"}'`;
  return `
\\set day random(0, ${SPREAD_NIGHTS - NIGHTS})
\\set type random(1, ${roomTypeIds.length})
\\set key random(1, 9000000000000000000)
BEGIN;
SELECT set_config('app.tenant_id', '${tenantId}', true),
  pg_try_advisory_xact_lock(hashtextextended('["idempotency","${tenantId}","bench","' || :key || '"]', 0)),
  nextval('confirmation_numbers') AS number, uuidv7() AS id, uuidv7() AS event, uuidv7() AS audit, uuidv7() AS correlation,
  ('{${roomTypeIds.join(',')}}'::text[])[:type::int] AS room, (date '${businessDate}' + :day::int)::text AS arrival,
  (date '${businessDate}' + :day::int + ${NIGHTS})::text AS departure
\\gset
\\startpipeline
SELECT request_hash, status, headers, body FROM idempotency_keys WHERE ${tenant} AND principal = 'bench' AND key = (:key)::text;
SELECT currency, business_date FROM properties WHERE ${tenant} AND property_id = '${propertyId}';
SELECT property_id, max_occupancy FROM room_types WHERE ${tenant} AND room_type_id = :room;
SELECT property_id, active FROM rate_plans WHERE ${tenant} AND rate_plan_id = '${ratePlanId}';
SELECT guest_id FROM guests WHERE ${tenant} AND guest_id = '${guestId}';
SELECT from_date, to_date, amount_minor FROM rate_plan_prices
  WHERE ${tenant} AND rate_plan_id = '${ratePlanId}' AND room_type_id = :room AND from_date < :departure
    AND (to_date IS NULL OR to_date > :arrival);
SELECT night, rooms, sold FROM inventory_nights WHERE ${tenant} AND ${stay} ORDER BY night FOR UPDATE;
\\endpipeline
\\startpipeline
INSERT INTO reservations (tenant_id, reservation_id, property_id, confirmation_number, status, room_type_id, rate_plan_id, guest_id,
  arrival, departure, day_use, adults, children, babies, currency, nightly_minor, origin)
VALUES ('${tenantId}', :id, '${propertyId}', lpad(translate(:number, '0123456789', 'ABCDEFGHJK'), 8, 'A'), 'CONFIRMED', :room,
  '${ratePlanId}', '${guestId}', :arrival, :departure, false, 2, 0, 0, 'EUR', '{10000,10000}', 'http');
UPDATE inventory_nights SET sold = sold + 1 WHERE ${tenant} AND ${stay};
INSERT INTO outbox_events (tenant_id, aggregate_id, key_seq, occurred_at, event_id, aggregate_type, event_type, event_version,
  data, correlation_id, traceparent, actor, received_at)
VALUES ('${tenantId}', :id, 1, now(), :event, 'reservation', 'reservation.created', 1, (${data})::json, :correlation,
  '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'bench', now());
INSERT INTO outbox_queue (slot, priority, tenant_id, aggregate_id, key_seq, occurred_at)
VALUES (('x' || right(:id, 1))::bit(4)::int, 0, '${tenantId}', :id, 1, now());
INSERT INTO audit_log (tenant_id, audit_id, actor, source, ip, action, resource_type, resource_id, correlation_id, changes)
VALUES ('${tenantId}', :audit, 'bench', 'http', '127.0.0.1', 'reservation.created', 'reservation', :id, :correlation,
  (${data})::json);
INSERT INTO idempotency_keys (tenant_id, principal, key, request_hash, status, headers, body)
VALUES ('${tenantId}', 'bench', (:key)::text, sha256((:key)::text::bytea), 201,
  '{"content-type": "application/json; charset=utf-8","etag": "1","x-correlation-id": "","location": ""}',
  (${data}) || repeat(' ', 400));
\\endpipeline
COMMIT;
`;
}

/** `15.18`; null where there is no pgbench. */
export const pgbenchVersion = async (): Promise<string | null> => {
  if (!existsSync(PROGRAM)) return null;
  return /[\d.]+/.exec((await promisify(execFile)(PROGRAM, ['--version'])).stdout)?.[0] ?? null;
};

/**
 * The database's limit without gathering: our own statements for one booking, each prepared, one booking a transaction, 10 clients on
 * 2 threads.
 * Neither HTTP nor token nor validation nor rules. Null where there is no pgbench.
 */
export async function openPgbench(
  bed: Bed,
  house: TestHouse,
  { ms, say }: { readonly ms: number; readonly say: (line: string) => void },
): Promise<Runner | null> {
  if (!existsSync(PROGRAM)) return null;
  const file = join(bed.home, 'booking.pgbench');
  await writeFile(file, scriptOf(house));
  const { hostname, port, username, password, pathname } = new URL(bed.database.appUrl);
  const env = {
    PATH: process.env['PATH'],
    PGHOST: hostname,
    PGPORT: port,
    PGUSER: username,
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: pathname.slice(1),
  };
  const args = ['-n', '-M', 'prepared', '-c', CLIENTS, '-j', THREADS, '-T', ms / 1_000, '-f', file].map(
    String,
  );
  let booked = 0;
  const round = async (): Promise<Record<string, number>> => {
    await bed.sql('CHECKPOINT');
    const before = [await endedCpuMs(process.pid), await cpuMs(bed.database.pid, true)] as const;
    const { stdout } = await promisify(execFile)(PROGRAM, args, { env });
    const after = [await endedCpuMs(process.pid), await cpuMs(bed.database.pid, true)] as const;
    const processed = Number(/actually processed: (\d+)/.exec(stdout)?.[1]);
    booked += processed;
    const [found] = await bed.sql<{ n: number }>(
      'SELECT count(*)::int AS n FROM reservations WHERE tenant_id = $1',
      [house.tenantId],
    );
    if (found!.n !== booked) throw new Error(`pgbench says ${booked} bookings, there are ${found!.n}`);
    const each = (i: 0 | 1): string => ((after[i] - before[i]) / processed).toFixed(2);
    say(`pgbench: CPU a booking: itself ${each(0)} ms, PostgreSQL ${each(1)} ms`);
    return { bookings: Number(/^tps = ([\d.]+)/m.exec(stdout)?.[1]) };
  };
  return { name: 'pgbench', round };
}
