import { sql } from '../../../platform/database/sql.js';
import type { Tx } from '../../../platform/database/unit-of-work.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import type { PriceRange } from '../domain/price-calendar.js';

/** Whose prices. */
export interface PriceKey {
  readonly propertyId: string;
  readonly ratePlanId: string;
  readonly roomTypeId: string;
}

const TAKE = sql(
  'rate_plans.take_prices',
  `DELETE FROM rate_plan_prices
    WHERE tenant_id = $1 AND rate_plan_id = $2 AND room_type_id = $3
      AND daterange(from_date, to_date) && daterange($4::date, $5::date)
   RETURNING from_date AS "from", to_date AS "to", amount_minor AS "amountMinor"`,
);

/** Takes out the prices that overlap `[from, to)`. The plan is locked, so nobody sets prices meanwhile. */
export const takePrices = (tx: Tx, key: PriceKey, from: IsoDate, to: IsoDate | null): Promise<PriceRange[]> =>
  tx.query<PriceRange>(TAKE, [tx.tenantId, key.ratePlanId, key.roomTypeId, from, to]);

const PUT = sql(
  'rate_plans.put_prices',
  `INSERT INTO rate_plan_prices (tenant_id, property_id, rate_plan_id, room_type_id, from_date, to_date, amount_minor)
   SELECT $1, $2, $3, $4, p.* FROM unnest($5::date[], $6::date[], $7::bigint[]) p`,
);

/** Puts prices where there are none. */
export async function putPrices(tx: Tx, key: PriceKey, prices: readonly PriceRange[]): Promise<void> {
  await tx.query(PUT, [
    tx.tenantId,
    key.propertyId,
    key.ratePlanId,
    key.roomTypeId,
    prices.map(({ from }) => from),
    prices.map(({ to }) => to),
    prices.map(({ amountMinor }) => amountMinor),
  ]);
}

/** A price of a plan. */
export interface PriceRow extends PriceRange {
  readonly roomTypeId: string;
}

export interface PriceFilter {
  readonly roomTypeId?: string;
  /** Prices of nights from this one. */
  readonly from?: IsoDate;
  /** Prices of nights before this one. */
  readonly to?: IsoDate;
}

const READ = sql(
  'rate_plans.read_prices',
  `SELECT room_type_id AS "roomTypeId", from_date AS "from", to_date AS "to", amount_minor AS "amountMinor"
     FROM rate_plan_prices
    WHERE tenant_id = $1 AND rate_plan_id = $2 AND ($3::uuid IS NULL OR room_type_id = $3)
      AND ($4::date IS NULL OR to_date IS NULL OR to_date > $4) AND ($5::date IS NULL OR from_date < $5)
      AND ($6::uuid IS NULL OR (room_type_id, from_date) > ($6::uuid, $7::date))
    ORDER BY room_type_id, from_date LIMIT $8`,
);

/** Prices of a plan by room type and first night, after the place of a cursor. */
export const readPrices = (
  tx: Tx,
  ratePlanId: string,
  filter: PriceFilter,
  after: { roomTypeId?: string; from?: string },
  limit: number,
): Promise<PriceRow[]> =>
  tx.query<PriceRow>(READ, [
    tx.tenantId,
    ratePlanId,
    filter.roomTypeId ?? null,
    filter.from ?? null,
    filter.to ?? null,
    after.roomTypeId ?? null,
    after.from ?? null,
    limit,
  ]);
