import { LifecycleQueries } from '../../src/modules/lifecycle/queries/lifecycle-queries.js';
import { makeContext } from '../../src/platform/context/op-context.js';
import { newId, type TenantId } from '../../src/platform/kernel/ids.js';
import { alone, Samples, timed, type Part } from '../measure.js';

const LOOKUPS = 2_000;

interface Looked {
  readonly id: string;
  readonly correlationId: string;
}

/** "Where is my request?", with as many requests on record: by reservation and by correlation id. */
export const read: Part = async (bed, { quick, say }) => {
  const requests = quick ? 100_000 : 1_000_000;
  const tenantId = newId() as TenantId;
  await bed.clear();
  say(`filling ${requests} requests`);
  await bed.sql(
    `SET session_replication_role = replica;
     CREATE TEMP TABLE made AS SELECT gen_random_uuid() AS id, gen_random_uuid() AS correlation_id, n
       FROM generate_series(1, ${requests}) n;
     INSERT INTO reservations (tenant_id, reservation_id, property_id, confirmation_number, status, room_type_id, rate_plan_id,
       guest_id, arrival, departure, day_use, adults, children, babies, currency, nightly_minor, origin)
     SELECT '${tenantId}', id, '${newId()}', translate(upper(lpad(to_hex(n), 8, 'z')), '01', 'XY'), 'CONFIRMED', '${newId()}',
            '${newId()}', '${newId()}', '2027-03-01', '2027-03-02', false, 2, 0, 0, 'EUR', '{10000}', 'http'
       FROM made;
     INSERT INTO outbox_events (tenant_id, aggregate_id, key_seq, occurred_at, event_id, aggregate_type, event_type, event_version,
       data, correlation_id, traceparent, actor, received_at)
     SELECT '${tenantId}', id, 1, now(), gen_random_uuid(), 'reservation', 'reservation.created', 1, '{}', correlation_id,
            '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'bench', now() FROM made;
     INSERT INTO event_receipts (tenant_id, aggregate_id, key_seq, occurred_at, partition, log_offset)
     SELECT '${tenantId}', id, 1, now(), n % 8, n FROM made;
     INSERT INTO event_inbox (tenant_id, aggregate_id, key_seq, occurred_at, event_id, consumed_at)
     SELECT '${tenantId}', id, 1, now(), gen_random_uuid(), now() FROM made;
     INSERT INTO event_key_marks (tenant_id, aggregate_id, applied_seq) SELECT '${tenantId}', id, 1 FROM made;
     ANALYZE`,
  );
  await bed.settle();
  const sample = await bed.sql<Looked>(
    `SELECT aggregate_id AS id, correlation_id AS "correlationId" FROM outbox_events ORDER BY event_id LIMIT ${LOOKUPS}`,
  );
  const ctx = makeContext({ tenantId, subject: 'bench', permissions: ['*'], source: 'system' });
  const queries = new LifecycleQueries(bed.uow);
  const measures: Record<string, ReturnType<typeof alone>> = {};
  const looks: Record<string, (one: Looked) => Promise<unknown>> = {
    'lifecycle of a reservation': (one: Looked) => queries.ofReservation(ctx, one.id, null, 51),
    'where a request is': (one: Looked) => queries.ofRequest(ctx, one.correlationId, null, 51),
  };
  for (const [name, look] of Object.entries(looks)) {
    for (const one of sample.slice(0, 50)) await look(one);
    const samples = new Samples();
    for (const one of sample) samples.add((await timed(() => look(one))).ms);
    measures[`${name} p50`] = alone(samples.p50, 'ms');
    measures[`${name} p99`] = alone(samples.p99, 'ms');
    say(`${name}: p50 ${samples.p50.toFixed(2)} ms, p99 ${samples.p99.toFixed(2)} ms of ${samples.count}`);
  }
  return measures;
};
