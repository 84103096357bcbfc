import { addDays, isIsoDate, type IsoDate } from '../../../platform/kernel/dates.js';

/** What became of a booking, in the file's words. */
export type BookingStatus = 'Check-Out' | 'Canceled' | 'No-Show';

/** One row of the Hotel Booking Demand file (Antonio, Almeida, Nunes 2019, doi 10.1016/j.dib.2018.11.126). */
export interface HotelBooking {
  /** 1-based, the header not counted: its external id. Rows that repeat another are bookings of their own. */
  readonly row: number;
  readonly bookedOn: IsoDate;
  readonly arrival: IsoDate;
  readonly departure: IsoDate;
  readonly dayUse: boolean;
  readonly adults: number;
  readonly children: number;
  readonly babies: number;
  /** The agreed price of each night, minor units; may be below zero. */
  readonly nightMinor: number;
  readonly status: BookingStatus;
  readonly statusDate: IsoDate;
}

/** The file is not what it should be; nothing of it was imported by this run. */
export class BrokenFileError extends Error {
  override readonly name = 'BrokenFileError';

  constructor(
    message: string,
    /** 1-based, header not counted; null: the file as a whole. */
    readonly row: number | null,
    readonly column: string | null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The columns that are read; the file has more. */
export const COLUMNS = [
  'lead_time',
  'arrival_date_year',
  'arrival_date_month',
  'arrival_date_day_of_month',
  'stays_in_weekend_nights',
  'stays_in_week_nights',
  'adults',
  'children',
  'babies',
  'adr',
  'reservation_status',
  'reservation_status_date',
] as const;
type Column = (typeof COLUMNS)[number];

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const ABSENT = new Set(['', 'NA', 'NULL']);
const MAX_LEAD_DAYS = 1000;
const MAX_STAY = 365;

class Row {
  constructor(
    private readonly values: Readonly<Record<string, string>>,
    readonly number: number,
  ) {}

  fail(column: Column, wanted: string): never {
    const value = JSON.stringify((this.values[column] ?? '').slice(0, 40));
    throw new BrokenFileError(
      `row ${this.number}, column ${column}: ${value} is not ${wanted}`,
      this.number,
      column,
    );
  }

  text(column: Column): string {
    const value = (this.values[column] ?? '').trim();
    return ABSENT.has(value) ? '' : value;
  }

  /** A whole number; an absent count is 0. */
  count(column: Column, max: number): number {
    const text = this.text(column) || '0';
    if (!/^\d{1,6}$/.test(text) || Number(text) > max) this.fail(column, `a whole number from 0 to ${max}`);
    return Number(text);
  }

  date(column: Column): IsoDate {
    const text = this.text(column);
    if (!isIsoDate(text)) this.fail(column, 'a day that exists, as YYYY-MM-DD');
    return text;
  }

  /** An amount of at most two decimals, in minor units; read as text, so that no cent is lost to binary fractions. */
  money(column: Column): number {
    const match = /^(-?)(\d{1,9})(?:\.(\d{1,2}))?$/.exec(this.text(column));
    if (!match) this.fail(column, 'an amount with at most two decimals');
    const minor = Number(match[2]) * 100 + Number((match[3] ?? '').padEnd(2, '0'));
    return match[1] && minor > 0 ? -minor : minor;
  }
}

function arrivalOf(row: Row): IsoDate {
  const month = MONTHS.indexOf(row.text('arrival_date_month')) + 1;
  if (month === 0) row.fail('arrival_date_month', 'the name of a month');
  const day = row.count('arrival_date_day_of_month', 31);
  const year = row.count('arrival_date_year', 2999);
  const text = `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
  if (!isIsoDate(text))
    row.fail('arrival_date_day_of_month', `a day of ${row.text('arrival_date_month')} ${year}`);
  return text;
}

/**
 * Reads one row. `NA`, `NULL` and nothing mean absent, an absent count is 0. Booked on the arrival less `lead_time`;
 * nights are those of week and weekend together, none is day use.
 * @throws BrokenFileError naming row and column
 */
export function parseBooking(values: Readonly<Record<string, string>>, number: number): HotelBooking {
  const row: Row = new Row(values, number);
  const arrival = arrivalOf(row);
  const nights = row.count('stays_in_weekend_nights', MAX_STAY) + row.count('stays_in_week_nights', MAX_STAY);
  if (nights > MAX_STAY) row.fail('stays_in_week_nights', `with the weekend's nights at most ${MAX_STAY}`);
  const status = row.text('reservation_status');
  if (status !== 'Check-Out' && status !== 'Canceled' && status !== 'No-Show')
    row.fail('reservation_status', 'Check-Out, Canceled or No-Show');
  const bookedOn = addDays(arrival, -row.count('lead_time', MAX_LEAD_DAYS));
  const statusDate = row.date('reservation_status_date');
  // An end before the beginning has no day on which the replay could carry it out.
  if (status !== 'Check-Out' && statusDate < bookedOn)
    row.fail('reservation_status_date', `on or after the day of booking, ${bookedOn}`);
  return {
    row: number,
    bookedOn,
    arrival,
    departure: addDays(arrival, nights),
    dayUse: nights === 0,
    adults: row.count('adults', 9999),
    children: row.count('children', 9999),
    babies: row.count('babies', 9999),
    nightMinor: row.money('adr'),
    status,
    statusDate,
  };
}
