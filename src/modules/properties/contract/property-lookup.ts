import type { ReadTx, Tx } from '../../../platform/database/unit-of-work.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import { currencyOf, findProperty, holdProperty } from '../persistence/property-rows.js';

/** What other modules may know of a property. */
export interface Property {
  readonly propertyId: string;
  readonly code: string;
  /** IANA name. */
  readonly timeZone: string;
  /** ISO 4217. */
  readonly currency: string;
  /** The day that the house is in: moved by the night audit, not by midnight. */
  readonly businessDate: IsoDate;
}

/** @throws DomainError PROPERTY_NOT_FOUND (404), for an unknown id and another tenant's alike */
export const propertyById: (tx: Tx, propertyId: string) => Promise<Property> = findProperty;

/** Its currency, for reads: one statement, to be sent with others. @throws DomainError PROPERTY_NOT_FOUND (404) */
export const propertyCurrency: (tx: ReadTx, propertyId: string) => Promise<string> = currencyOf;

/**
 * As `propertyById`, and the property stays as it is to the end of the transaction: its business date can't advance
 * between this read and what is written for it. Take it before any lock on room types or nights.
 */
export const propertyHeld: (tx: Tx, propertyId: string) => Promise<Property> = holdProperty;
