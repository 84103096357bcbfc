import type { PropertyEvent } from '../contract/events.js';
import type { PropertyEntity } from '../persistence/property.entity.js';

/** The property as its events tell it. */
export const propertyEvent = (row: PropertyEntity): PropertyEvent => ({
  propertyId: row.propertyId,
  code: row.code,
  name: row.name,
  timeZone: row.timeZone,
  currency: row.currency,
  businessDate: row.businessDate,
});
