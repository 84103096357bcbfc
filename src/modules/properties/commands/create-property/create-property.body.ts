import { DateField, TextField } from '../../../../platform/http/fields.js';
import { isTimeZone, type IsoDate } from '../../../../platform/kernel/dates.js';
import { CODE_PATTERN } from '../../contract/codes.js';
import { isCurrency } from '../../domain/property-rules.js';
import type { CreatePropertyInput } from './create-property.js';

/** Bounds of the fields, for every door. */
export const code = {
  max: 20,
  pattern: CODE_PATTERN,
  code: 'CODE_INVALID',
  hint: 'A to Z, 0 to 9, - and _.',
  example: 'RESORT',
};
export const name = { max: 200, example: 'Resort Hotel' };
export const timeZone = {
  max: 60,
  check: isTimeZone,
  code: 'TIME_ZONE_INVALID',
  hint: 'This must be an IANA time zone.',
  example: 'Europe/Lisbon',
};
const currency = {
  max: 3,
  check: isCurrency,
  code: 'CURRENCY_INVALID',
  hint: 'This must be an ISO 4217 code.',
  example: 'EUR',
};

/** The input as it comes through a door: the body of `POST /v1/properties`, the options of the command line. */
export class CreatePropertyBody implements CreatePropertyInput {
  @TextField(code)
  code!: string;

  @TextField(name)
  name!: string;

  @TextField(timeZone)
  timeZone!: string;

  @TextField(currency)
  currency!: string;

  @DateField({ optional: true, description: "Today in the property's zone unless given." })
  businessDate?: IsoDate;
}
