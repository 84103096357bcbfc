/** The time of this process: real in production, set by hand in tests. Never used for order; the database's clock decides leases. */
export abstract class Clock {
  abstract now(): Date;
}

/** The machine's clock. */
export class SystemClock extends Clock {
  now(): Date {
    return new Date();
  }
}
