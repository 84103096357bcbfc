import type { IsoDate } from '../../../platform/kernel/dates.js';

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
