import { BoolField, DateField, IdField, MoneyField, TextField } from '../../../platform/http/fields.js';
import { PageQuery } from '../../../platform/http/pagination.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import { CODE_PATTERN } from '../../properties/contract/codes.js';

const code = {
  max: 20,
  pattern: CODE_PATTERN,
  code: 'CODE_INVALID',
  hint: 'A to Z, 0 to 9, - and _.',
  example: 'CORP',
};
const name = { max: 200, example: 'Corporate' };

/** Body of `POST /v1/properties/:propertyId/rate-plans`. */
export class CreateRatePlanBody {
  @TextField(code)
  code!: string;

  @TextField(name)
  name!: string;
}

/** Body of `PATCH /v1/properties/:propertyId/rate-plans/:ratePlanId`. */
export class ChangeRatePlanBody {
  @TextField({ ...code, optional: true })
  code?: string;

  @TextField({ ...name, optional: true })
  name?: string;

  @BoolField({ optional: true, description: 'False: no new booking is priced by it.' })
  active?: boolean;
}

/** Body of `PUT /v1/properties/:propertyId/rate-plans/:ratePlanId/prices`. */
export class SetPricesBody {
  @IdField()
  roomTypeId!: string;

  @DateField()
  from!: IsoDate;

  @DateField({
    optional: true,
    nullable: true,
    example: '2026-04-01',
    description: 'The night after the last; none: without end.',
  })
  to?: IsoDate | null;

  @MoneyField({ description: 'A night, in minor units.' })
  amountMinor!: number;
}

/** Query of prices. */
export class PricesQuery extends PageQuery {
  @IdField({ optional: true })
  roomTypeId?: string;

  @DateField({ optional: true, description: 'Prices of nights from this one.' })
  from?: IsoDate;

  @DateField({ optional: true, example: '2026-04-01', description: 'Prices of nights before this one.' })
  to?: IsoDate;
}
