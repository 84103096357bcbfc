import { withClient } from './fixtures.js';
import { until } from './http-client.js';

/** Rows of every table, partitions summed under their parents, by name; what comes and goes by itself left out. */
export async function rowCounts(superUrl: string): Promise<Record<string, number>> {
  return withClient(superUrl, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
          AND NOT relispartition AND relname <> 'outbox_relays' ORDER BY 1`,
    );
    const counts: Record<string, number> = {};
    for (const { name } of rows) {
      const found = await client.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${name}`);
      counts[name] = found.rows[0]!.n;
    }
    return counts;
  });
}

/** Waits until everything that was written is published and applied: nothing moves in the background any more. */
export const settled = (superUrl: string): Promise<boolean> =>
  until('everything applied', async () => {
    const faults = await pathFaults(superUrl);
    return faults['queued'] === 0 && faults['notApplied'] === 0;
  });

/** The rows of every table, once nothing moves in the background. */
export async function settledCounts(superUrl: string): Promise<Record<string, number>> {
  await settled(superUrl);
  return rowCounts(superUrl);
}

/** One question to the database, past every wall. */
export const ask = <T extends object>(
  superUrl: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<T[]> => withClient(superUrl, async (client) => (await client.query<T>(text, [...values])).rows);

/** What a broken promise of "applied exactly once" would show; every number must be 0. */
export async function pathFaults(superUrl: string): Promise<Record<string, number>> {
  const [row] = await ask<Record<string, number>>(
    superUrl,
    `SELECT
       (SELECT count(*)::int FROM outbox_queue) AS queued,
       (SELECT count(*)::int FROM outbox_blocked_keys) AS blocked,
       (SELECT count(*)::int FROM dead_letters) AS "deadLetters",
       (SELECT count(*)::int FROM outbox_events e WHERE NOT EXISTS
          (SELECT FROM event_inbox i WHERE (i.tenant_id, i.aggregate_id, i.key_seq) = (e.tenant_id, e.aggregate_id, e.key_seq))
       ) AS "notApplied",
       (SELECT count(*)::int FROM (SELECT FROM event_inbox GROUP BY tenant_id, aggregate_id, key_seq HAVING count(*) > 1) d
       ) AS "appliedTwice",
       (SELECT count(*)::int FROM (
          SELECT FROM outbox_events WHERE aggregate_type = 'reservation' GROUP BY tenant_id, aggregate_id
          HAVING min(key_seq) <> 1 OR max(key_seq) <> count(*)) g) AS "gaps",
       (SELECT count(*)::int FROM (
          SELECT tenant_id, property_id, arrival + (n.ord - 1)::int AS night, count(*)::int AS rooms, sum(n.amount)::bigint AS money,
            count(*) FILTER (WHERE status = 'CHECKED_OUT')::int AS stayed
            FROM reservations CROSS JOIN LATERAL unnest(nightly_minor) WITH ORDINALITY AS n(amount, ord)
           WHERE status IN ('CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT') GROUP BY 1, 2, 3) r
          FULL JOIN occupancy_nights o USING (tenant_id, property_id, night)
        WHERE coalesce(r.rooms, 0) <> coalesce(o.booked_rooms, 0) OR coalesce(r.money, 0) <> coalesce(o.booked_revenue_minor, 0)
           OR coalesce(r.stayed, 0) <> coalesce(o.stayed_rooms, 0)) AS "occupancyUnlikeRecount",
       (SELECT count(*)::int FROM (
          SELECT tenant_id, room_type_id, n::date AS night, count(*)::int AS stays
            FROM reservations, generate_series(arrival, departure - 1, interval '1 day') AS n
           WHERE status IN ('HELD', 'CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT') GROUP BY 1, 2, 3) s
          FULL JOIN inventory_nights i USING (tenant_id, room_type_id, night)
        WHERE i.sold IS DISTINCT FROM coalesce(s.stays, 0)) AS "countersUnlikeRecount",
       (SELECT count(*)::int FROM (
          SELECT tenant_id, property_id, night, sum(i.rooms) AS rooms
            FROM inventory_nights i JOIN room_types t USING (tenant_id, room_type_id) GROUP BY 1, 2, 3) t
          FULL JOIN capacity_nights c USING (tenant_id, property_id, night)
        WHERE c.rooms IS DISTINCT FROM t.rooms) AS "capacityUnlikeRecount"`,
  );
  return row!;
}

/** What `pathFaults` says of a house in order. */
export const NO_FAULTS = {
  queued: 0,
  blocked: 0,
  deadLetters: 0,
  notApplied: 0,
  appliedTwice: 0,
  gaps: 0,
  occupancyUnlikeRecount: 0,
  countersUnlikeRecount: 0,
  capacityUnlikeRecount: 0,
};

/** Nights and revenue of checked-out stays of a property by month of the night, from its reservations. */
export async function monthsOfReservations(
  superUrl: string,
  propertyCode: string,
): Promise<Record<string, { nights: number; revenue: number }>> {
  const rows = await ask<{ month: string; nights: number; revenue: string }>(
    superUrl,
    `SELECT to_char(r.arrival + (n.ord - 1)::int, 'YYYY-MM') AS month, count(*)::int AS nights, sum(n.amount)::text AS revenue
       FROM reservations r JOIN properties p USING (tenant_id, property_id)
       CROSS JOIN LATERAL unnest(r.nightly_minor) WITH ORDINALITY AS n(amount, ord)
      WHERE p.code = $1 AND r.status = 'CHECKED_OUT' GROUP BY 1 ORDER BY 1`,
    [propertyCode],
  );
  return Object.fromEntries(
    rows.map(({ month, nights, revenue }) => [month, { nights, revenue: Number(revenue) }]),
  );
}
