import { addDays, type IsoDate } from '../../src/platform/kernel/dates.js';

/** What the load books in. */
export interface LoadHouse {
  readonly propertyId: string;
  readonly ratePlanId: string;
  readonly guestId: string;
  readonly roomTypeIds: readonly string[];
  readonly businessDate: IsoDate;
}

interface Order {
  readonly port: number;
  readonly token: string;
  readonly clients: number;
  readonly ms: number;
  /** Ordinal of the first request; it decides the stay, or the path. */
  readonly from: number;
}

/** Bookings. */
export interface BookOrder extends Order {
  readonly kind: 'spread' | 'hot';
  readonly house: LoadHouse;
}

/** Reads of these paths, one after the other and all over again. */
export interface GetOrder extends Order {
  readonly kind: 'get';
  readonly paths: readonly string[];
}

/** What the parent asks of the load's process. */
export type LoadOrder = BookOrder | GetOrder;

/** What the load's process answers. */
export interface LoadReport {
  /** Bookings that were taken, or reads that were answered. */
  readonly done: number;
  /** For lack of availability; anything else ends the bench. */
  readonly refused: number;
  /** From the first request to the last answer. */
  readonly ms: number;
  readonly p50: number;
  readonly p99: number;
  /** CPU that the load took, ms. */
  readonly cpuMs: number;
}

/** Days that the spread load sleeps in; with ten types 500 type-nights. */
export const SPREAD_NIGHTS = 50;
/** Requests for one week, of which its rooms are enough for a half; then all go on to the next week. */
export const HOT_REQUESTS = 200;
export const HOT_ROOMS = 28;
const WEEK = 7;
/** Weeks of one type, within the thousand days that may be booked ahead; then they go on with the next type. */
const HOT_WEEKS = 140;
export const HOT_NIGHTS = WEEK * HOT_WEEKS;
/** More than one load gets through. */
export const HOT_TYPES = 10;
const LONGEST = 3;

export interface Stay {
  readonly roomTypeId: string;
  readonly arrival: IsoDate;
  readonly departure: IsoDate;
}

/** A number's own random bits (the finalizer of MurmurHash3): the n-th stay is the same for everybody. */
function bitsOf(n: number): number {
  let bits = Math.imul(n ^ (n >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** One to three nights: anywhere in ten types and 50 nights, or in the type and the week of the moment. */
export function stayOf({ roomTypeIds, businessDate }: LoadHouse, kind: BookOrder['kind'], n: number): Stay {
  const bits = bitsOf(n);
  const nights = 1 + (bits % LONGEST);
  const week = Math.floor(n / HOT_REQUESTS);
  const [first, days, type] =
    kind === 'spread'
      ? [0, SPREAD_NIGHTS, (bits >>> 16) % roomTypeIds.length]
      : [WEEK * (week % HOT_WEEKS), WEEK, Math.floor(week / HOT_WEEKS)];
  const arrival = first + ((bits >>> 4) % (days - nights + 1));
  return {
    roomTypeId: roomTypeIds[type]!,
    arrival: addDays(businessDate, arrival),
    departure: addDays(businessDate, arrival + nights),
  };
}
