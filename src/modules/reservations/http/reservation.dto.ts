import {
  ArrayField,
  BoolField,
  DateField,
  EnumField,
  IdField,
  IntField,
  MoneyField,
  NestedField,
  TextField,
} from '../../../platform/http/fields.js';
import { PageQuery } from '../../../platform/http/pagination.js';
import { intRule } from '../../../platform/http/rules.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import type { PriceOverride } from '../domain/commands.js';
import { HOLD_SECONDS } from '../domain/decide.js';
import { STATUSES, type Status } from '../domain/moves.js';
import { MAX_AMOUNT, MAX_NIGHTS, MAX_PARTY } from '../domain/reservation.js';

const people = { min: 0, max: MAX_PARTY };

/** A price agreed by someone with the permission reservation:override-price. */
export class PriceOverrideBody {
  @MoneyField({ optional: true, description: 'The price of every night, minor units; zero is legal' })
  amountMinor?: number;

  @ArrayField(intRule(0, MAX_AMOUNT), {
    optional: true,
    max: MAX_NIGHTS,
    description: 'Instead: one price a night, in order from the arrival',
  })
  nightlyMinor?: number[];

  @TextField({ max: 500, example: 'Agreed with the group' })
  reason!: string;
}

/** A stay to be priced. */
export class StayBody {
  @IdField()
  propertyId!: string;

  @IdField()
  roomTypeId!: string;

  @IdField()
  ratePlanId!: string;

  @DateField()
  arrival!: IsoDate;

  @DateField({ example: '2026-03-04', description: 'Exclusive: the last night is the one before' })
  departure!: IsoDate;

  @BoolField({ optional: true, description: 'True, and only then, arrival = departure: no night is taken' })
  dayUse = false;

  @IntField({ ...people, example: 2 })
  adults!: number;

  @IntField({ ...people, optional: true, example: 0 })
  children = 0;

  @IntField({ ...people, optional: true, example: 0 })
  babies = 0;

  @NestedField(() => PriceOverrideBody, { optional: true })
  priceOverride?: PriceOverrideBody;
}

/** A new reservation, confirmed at once. */
export class CreateReservationBody extends StayBody {
  @IdField()
  guestId!: string;

  @TextField({ max: 100, optional: true, description: "The partner's own id of it, unique in the property" })
  externalId?: string;
}

/** A reservation that holds its nights for a while. */
export class HoldBody extends CreateReservationBody {
  @IntField({
    ...HOLD_SECONDS,
    optional: true,
    example: HOLD_SECONDS.usual,
    description: 'How long it holds, seconds',
  })
  holdSeconds: number = HOLD_SECONDS.usual;
}

/** What changes; the rest stays. */
export class ModifyBody {
  @DateField({ optional: true })
  arrival?: IsoDate;

  @DateField({ optional: true, example: '2026-03-05' })
  departure?: IsoDate;

  @BoolField({ optional: true })
  dayUse?: boolean;

  @IntField({ ...people, optional: true })
  adults?: number;

  @IntField({ ...people, optional: true })
  children?: number;

  @IntField({ ...people, optional: true })
  babies?: number;

  @IdField({ optional: true })
  roomTypeId?: string;

  @IdField({ optional: true })
  ratePlanId?: string;

  @NestedField(() => PriceOverrideBody, { optional: true })
  priceOverride?: PriceOverrideBody;
}

export class DepartureBody {
  @DateField({ example: '2026-03-06' })
  departure!: IsoDate;
}

export class CancelBody {
  @TextField({ max: 500, example: 'Flight cancelled' })
  reason!: string;
}

export class CheckInBody {
  @TextField({ max: 20, optional: true, example: '214', description: 'Where it is known' })
  roomNumber?: string;
}

/** All given conditions hold. Dates are inclusive. Of guestId, guestName and confirmationNumber at most one. */
export class SearchQuery extends PageQuery {
  @IdField({ optional: true })
  propertyId?: string;

  @EnumField({ values: STATUSES, optional: true })
  status?: Status;

  @DateField({ optional: true })
  arrivalFrom?: IsoDate;

  @DateField({ optional: true })
  arrivalTo?: IsoDate;

  @DateField({ optional: true })
  departureFrom?: IsoDate;

  @DateField({ optional: true })
  departureTo?: IsoDate;

  @IdField({ optional: true })
  guestId?: string;

  @TextField({
    max: 100,
    optional: true,
    description: "The beginning of the guest's last name",
    example: 'Silva',
  })
  guestName?: string;

  @TextField({ min: 8, max: 8, optional: true, example: 'ACFQ589D' })
  confirmationNumber?: string;
}

/** The override in the domain's terms; exactly one of the two prices must be given. */
export const overrideOf = (body: PriceOverrideBody | undefined): PriceOverride | null =>
  body === undefined
    ? null
    : { amountMinor: body.nightlyMinor ?? body.amountMinor ?? [], reason: body.reason };
