import type { IsoDate } from '../../../platform/kernel/dates.js';
import { CODE, CURRENCY, DATE, ID, label, object } from '../../../platform/kernel/json-schema.js';
import type { EventTypes } from '../../outbox/contract/events.js';

/** `property.created` and `property.changed`: the property as it is from then on. */
export interface PropertyEvent {
  readonly propertyId: string;
  readonly code: string;
  readonly name: string;
  readonly timeZone: string;
  readonly currency: string;
  readonly businessDate: IsoDate;
}

/** `property.business_date_advanced`. */
export interface BusinessDateAdvancedEvent {
  readonly propertyId: string;
  readonly from: IsoDate;
  readonly to: IsoDate;
}

const property = object<PropertyEvent>({
  propertyId: ID,
  code: CODE,
  name: label(200),
  timeZone: { type: 'string', pattern: '^[A-Z][A-Za-z0-9_+/-]{0,59}$' },
  currency: CURRENCY,
  businessDate: DATE,
});
const businessDateAdvanced = object<BusinessDateAdvancedEvent>({ propertyId: ID, from: DATE, to: DATE });

export const PROPERTY_EVENTS = {
  'property.created': { about: 'A property is there.', versions: { 1: property } },
  'property.changed': { about: 'A property is another from then on.', versions: { 1: property } },
  'property.business_date_advanced': {
    about: 'The day was closed: `to` is the business date.',
    versions: { 1: businessDateAdvanced },
  },
} satisfies EventTypes;
