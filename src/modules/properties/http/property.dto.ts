import { DateField, TextField } from '../../../platform/http/fields.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import { code, name, timeZone } from '../commands/create-property/create-property.body.js';

/** Body of `PATCH /v1/properties/:propertyId`. The currency stays: prices are in it. */
export class ChangePropertyBody {
  @TextField({ ...code, optional: true })
  code?: string;

  @TextField({ ...name, optional: true })
  name?: string;

  @TextField({ ...timeZone, optional: true })
  timeZone?: string;
}

/** Body of `POST /v1/properties/:propertyId/business-date/advance`. */
export class AdvanceBusinessDateBody {
  @DateField({ optional: true, description: 'The next day, as the caller believes it.' })
  to?: IsoDate;
}
