import { DateField, IdField, TextField, TimeField, VersionField } from '../../../platform/http/fields.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import type { PropertyEntity } from '../persistence/property.entity.js';

/** A property as it is answered. */
export class PropertyView {
  @IdField()
  id!: string;

  @TextField({ max: 20, example: 'RESORT' })
  code!: string;

  @TextField({ max: 200, example: 'Resort Hotel' })
  name!: string;

  @TextField({ max: 60, example: 'Europe/Lisbon' })
  timeZone!: string;

  @TextField({ max: 3, example: 'EUR' })
  currency!: string;

  @DateField()
  businessDate!: IsoDate;

  @VersionField()
  version!: number;

  @TimeField()
  createdAt!: string;

  @TimeField()
  updatedAt!: string;
}

export const propertyView = (row: PropertyEntity): PropertyView => ({
  id: row.propertyId,
  code: row.code,
  name: row.name,
  timeZone: row.timeZone,
  currency: row.currency,
  businessDate: row.businessDate,
  version: row.version,
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
});
