import type { IsoDate } from '../../../platform/kernel/dates.js';

/** `rate_plan.created` and `rate_plan.changed`: the plan as it is from then on. */
export interface RatePlanEvent {
  readonly ratePlanId: string;
  readonly propertyId: string;
  readonly code: string;
  readonly name: string;
  readonly active: boolean;
}

/** `rate_plan.prices_set`: the price of each night of `[from, to)`, without end where `to` is null. */
export interface PricesSetEvent {
  readonly ratePlanId: string;
  readonly propertyId: string;
  readonly roomTypeId: string;
  readonly from: IsoDate;
  readonly to: IsoDate | null;
  /** Minor units of the property's currency. */
  readonly amountMinor: number;
}
