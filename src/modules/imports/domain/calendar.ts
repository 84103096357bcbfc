import { addDays, type IsoDate } from '../../../platform/kernel/dates.js';
import type { HotelBooking } from './hotel-booking.js';

/** What one day of the replay has to do, in the order of the file. */
export interface Day {
  /** Booked this day. */
  readonly bookings: readonly HotelBooking[];
  /** Cancelled or declared a no-show this day. */
  readonly ends: readonly HotelBooking[];
  /** Due to leave. */
  readonly departures: readonly HotelBooking[];
  /** Due to arrive. */
  readonly arrivals: readonly HotelBooking[];
}

/** Most days that are passed over at once: a house may be years behind its file. */
const MOST_IDLE = 100;

const NONE: readonly HotelBooking[] = [];

/** The bookings of a file by the days on which something happens to them. */
export class Calendar {
  readonly firstDay: IsoDate;
  readonly lastDay: IsoDate;
  private readonly bookings: ReadonlyMap<IsoDate, readonly HotelBooking[]>;
  private readonly ends: ReadonlyMap<IsoDate, readonly HotelBooking[]>;
  private readonly departures: ReadonlyMap<IsoDate, readonly HotelBooking[]>;
  private readonly arrivals: ReadonlyMap<IsoDate, readonly HotelBooking[]>;

  /** @param all at least one booking, in the order of the file */
  constructor(all: readonly HotelBooking[]) {
    const stays = all.filter(({ status }) => status === 'Check-Out');
    this.bookings = Map.groupBy(all, ({ bookedOn }) => bookedOn);
    this.ends = Map.groupBy(
      all.filter(({ status }) => status !== 'Check-Out'),
      ({ statusDate }) => statusDate,
    );
    // Who came for the day leaves on it, after the arrivals.
    this.departures = Map.groupBy(
      stays.filter(({ dayUse }) => !dayUse),
      ({ departure }) => departure,
    );
    this.arrivals = Map.groupBy(stays, ({ arrival }) => arrival);
    const days = [this.bookings, this.ends, this.departures, this.arrivals]
      .flatMap((map) => [...map.keys()])
      .sort();
    this.firstDay = [...this.bookings.keys()].sort()[0]!;
    this.lastDay = days.at(-1)!;
  }

  on(date: IsoDate): Day {
    return {
      bookings: this.bookings.get(date) ?? NONE,
      ends: this.ends.get(date) ?? NONE,
      departures: this.departures.get(date) ?? NONE,
      arrivals: this.arrivals.get(date) ?? NONE,
    };
  }

  /** The first day after `date` on which something happens, the day after the last one, or the hundredth: whatever comes first. */
  next(date: IsoDate): IsoDate {
    const latest = addDays(date, MOST_IDLE);
    let day = addDays(date, 1);
    while (
      day < latest &&
      day <= this.lastDay &&
      Object.values(this.on(day)).every(({ length }) => length === 0)
    )
      day = addDays(day, 1);
    return day;
  }
}
