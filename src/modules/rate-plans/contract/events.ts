import type { IsoDate } from '../../../platform/kernel/dates.js';
import {
  CODE,
  DATE,
  FLAG,
  ID,
  label,
  nullable,
  object,
  whole,
} from '../../../platform/kernel/json-schema.js';
import type { EventTypes } from '../../outbox/contract/events.js';

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

const ratePlan = object<RatePlanEvent>({
  ratePlanId: ID,
  propertyId: ID,
  code: CODE,
  name: label(200),
  active: FLAG,
});
const pricesSet = object<PricesSetEvent>({
  ratePlanId: ID,
  propertyId: ID,
  roomTypeId: ID,
  from: DATE,
  to: nullable(DATE),
  amountMinor: whole(0, 100_000_000_000),
});

export const RATE_PLAN_EVENTS = {
  'rate_plan.created': { about: 'A rate plan is there.', versions: { 1: ratePlan } },
  'rate_plan.changed': { about: 'A rate plan is another from then on.', versions: { 1: ratePlan } },
  'rate_plan.prices_set': {
    about: 'The price of each night of `[from, to)`; without end where `to` is null.',
    versions: { 1: pricesSet },
  },
} satisfies EventTypes;
