import type { Ground } from '../ground.js';

/** In the order of their keys, as time makes them: events of `keys` keys of `tenants` tenants, `perKey` of each, all pending; as large as a reservation's. */
export async function fillOutbox(
  on: Ground,
  { keys, perKey = 1, tenants = 1 }: { keys: number; perKey?: number; tenants?: number },
): Promise<void> {
  await on.sql(
    `WITH keys AS (
       SELECT k, uuidv7() AS aggregate_id,
              ('019a0000-0000-7000-8000-' || lpad((k % $3)::text, 12, '0'))::uuid AS tenant_id
         FROM generate_series(1, $1::int) k),
     events AS (
       INSERT INTO outbox_events (tenant_id, aggregate_id, key_seq, occurred_at, event_id, aggregate_type, event_type, event_version,
         data, correlation_id, traceparent, actor, received_at)
       SELECT tenant_id, aggregate_id, s, now(), gen_random_uuid(), 'reservation', 'reservation.modified', 1,
              json_build_object('propertyId', gen_random_uuid(), 'confirmationNumber', 'ABCD2345', 'status', 'CONFIRMED',
                'roomTypeId', gen_random_uuid(), 'ratePlanId', gen_random_uuid(), 'guestId', gen_random_uuid(),
                'arrival', '2027-03-01', 'departure', '2027-03-04', 'dayUse', false, 'adults', 2, 'children', 0, 'babies', 0,
                'currency', 'EUR', 'nightlyMinor', json_build_array(12000, 12000, 13500), 'roomNumber', null,
                'origin', 'http', 'externalId', null, 'previous', null),
              gen_random_uuid(), '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'bench', now()
         FROM generate_series(1, $2::int) s CROSS JOIN keys ORDER BY s, k
       RETURNING tenant_id, aggregate_id, key_seq, occurred_at)
     INSERT INTO outbox_queue (slot, tenant_id, aggregate_id, key_seq, occurred_at)
     SELECT ('x' || right(aggregate_id::text, 1))::bit(4)::int, tenant_id, aggregate_id, key_seq, occurred_at
       FROM events`,
    [keys, perKey, tenants],
  );
  await on.sql('ANALYZE outbox_events');
  await on.settle();
}
