import { join } from 'node:path';
import pg from 'pg';
import type { Bed } from '../../bed.js';
import { startService, TS_HOOKS, type ServiceProcess } from '../../process.js';
import type { TestHouse } from '../../../test/support/fixtures.js';

const OVERSOLD = `
  SELECT count(*)::int AS n FROM (
    SELECT "roomTypeId", n::date AS night, count(*)::int AS stays
      FROM reservation, generate_series(arrival, departure - 1, interval '1 day') AS n GROUP BY 1, 2) s
    FULL JOIN inventory_night i USING ("roomTypeId", night)
   WHERE coalesce(s.stays, 0) > coalesce(i.rooms, 0) OR coalesce(s.stays, 0) IS DISTINCT FROM i.sold`;

/** The naive service, on a database of its own on the bed's server. */
export interface Naive extends ServiceProcess {
  /** Takes a house over: its rooms and counters as they stand in ours. */
  furnish(house: TestHouse): Promise<void>;
  /** Nights of which a recount finds more stays than rooms, or another number than their counter. */
  oversold(): Promise<number>;
}

export async function startNaive(bed: Bed, jwksFile: string): Promise<Naive> {
  await bed.sql('CREATE DATABASE naive');
  bed.onClose(() => bed.sql('DROP DATABASE naive WITH (FORCE)'));
  const url = new URL(bed.database.superUrl);
  url.pathname = '/naive';
  const service = await startService(bed, 'naive', [...TS_HOOKS, join(import.meta.dirname, 'main.ts')], {
    ready: '/health',
    env: { NAIVE_DATABASE_URL: url.href, JWKS_FILE: jwksFile },
  });
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  bed.onClose(() => client.end());
  const copy = async (from: string, into: string, house: TestHouse): Promise<void> => {
    const rows = await bed.sql(from, [house.tenantId]);
    await client.query(`INSERT INTO ${into} SELECT * FROM json_populate_recordset(NULL::${into}, $1)`, [
      JSON.stringify(rows),
    ]);
  };
  return {
    ...service,
    furnish: async (house) => {
      await copy(
        `SELECT property_id AS id, tenant_id AS "tenantId", currency, business_date AS "businessDate" FROM properties
          WHERE tenant_id = $1`,
        'property',
        house,
      );
      await copy(
        `SELECT room_type_id AS id, tenant_id AS "tenantId", property_id AS "propertyId", max_occupancy AS "maxOccupancy"
           FROM room_types WHERE tenant_id = $1`,
        'room_type',
        house,
      );
      await copy(
        `SELECT rate_plan_id AS id, tenant_id AS "tenantId", property_id AS "propertyId", active FROM rate_plans WHERE tenant_id = $1`,
        'rate_plan',
        house,
      );
      await copy(
        `SELECT rate_plan_id AS "ratePlanId", room_type_id AS "roomTypeId", from_date AS "fromDate", to_date AS "toDate",
                tenant_id AS "tenantId", amount_minor AS "amountMinor" FROM rate_plan_prices WHERE tenant_id = $1`,
        'rate_plan_price',
        house,
      );
      await copy(
        `SELECT guest_id AS id, tenant_id AS "tenantId", last_name AS "lastName" FROM guests WHERE tenant_id = $1`,
        'guest',
        house,
      );
      await copy(
        `SELECT room_type_id AS "roomTypeId", night, tenant_id AS "tenantId", rooms, sold FROM inventory_nights WHERE tenant_id = $1`,
        'inventory_night',
        house,
      );
      await client.query('ANALYZE');
    },
    oversold: async () => (await client.query<{ n: number }>(OVERSOLD)).rows[0]!.n,
  };
}
