import {
  BoolField,
  DateField,
  IdField,
  MoneyField,
  TextField,
  TimeField,
  VersionField,
} from '../../../platform/http/fields.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import type { PriceRow } from '../persistence/price-rows.js';
import type { RatePlanEntity } from '../persistence/rate-plan.entity.js';

/** A rate plan as it is answered. */
export class RatePlanView {
  @IdField()
  id!: string;

  @IdField()
  propertyId!: string;

  @TextField({ max: 20, example: 'BAR' })
  code!: string;

  @TextField({ max: 200, example: 'Best available rate' })
  name!: string;

  @BoolField()
  active!: boolean;

  @VersionField()
  version!: number;

  @TimeField()
  createdAt!: string;

  @TimeField()
  updatedAt!: string;
}

export const ratePlanView = (row: RatePlanEntity): RatePlanView => ({
  id: row.ratePlanId,
  propertyId: row.propertyId,
  code: row.code,
  name: row.name,
  active: row.active,
  version: row.version,
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
});

/** The price of each night of `[from, to)`; without end where `to` is null. */
export class PriceView {
  @IdField()
  roomTypeId!: string;

  @DateField()
  from!: IsoDate;

  @DateField({ nullable: true })
  to!: IsoDate | null;

  @MoneyField()
  amountMinor!: number;
}

export const priceView = ({ roomTypeId, from, to, amountMinor }: PriceRow): PriceView => ({
  roomTypeId,
  from,
  to,
  amountMinor,
});
