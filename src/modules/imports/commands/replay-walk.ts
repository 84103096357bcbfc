import type { OpContext } from '../../../platform/context/op-context.js';
import { DomainError } from '../../../platform/kernel/errors.js';
import { newId } from '../../../platform/kernel/ids.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import { MAX_LIST, type Job, type ReservationDesk } from '../../reservations/contract/reservation-desk.js';
import type { Calendar } from '../domain/calendar.js';
import type { HotelBooking } from '../domain/hotel-booking.js';

/** Where a row stands: refused (null reservation), or its reservation and its state. */
export interface RowState {
  reservationId: string | null;
  status: string | null;
  code: string | null;
  reason: string | null;
}

/** What a walk needs to know of its property. */
export interface ReplayScope {
  readonly ctx: OpContext;
  readonly importId: string;
  readonly propertyId: string;
  readonly roomTypeId: string;
  readonly ratePlanId: string;
  readonly guestId: string;
}

/** A command of the replay that ought to succeed was refused: the file and the property don't fit together. */
export class ReplayError extends Error {
  override readonly name = 'ReplayError';
}

interface Step {
  readonly booking: HotelBooking;
  readonly job: Job;
}

/**
 * Walks the days of a file through the reservation commands, in lists where order allows. All its state is the rows'
 * outcomes as the ledger and the reservations have them, so a killed walk goes on where it stood.
 */
export class ReplayWalk {
  commands = 0;

  constructor(
    private readonly desk: ReservationDesk,
    private readonly scope: ReplayScope,
    private readonly calendar: Calendar,
    private readonly rows: Map<number, RowState>,
    private readonly onProgress: (commands: number) => void,
  ) {}

  /** Everything of one day but the move of the business date. Run again, it does only what is missing. */
  async day(date: IsoDate): Promise<void> {
    const { bookings, ends, departures, arrivals } = this.calendar.on(date);
    const isOld = ({ bookedOn }: HotelBooking): boolean => bookedOn !== date;
    const isNew = (booking: HotelBooking): boolean => !isOld(booking);
    // At once: they have no reservation in common, and who comes or goes changes no counter.
    await Promise.all([
      this.run([...this.endings(ends.filter(isOld)), ...this.creations(bookings)]),
      this.run([
        ...this.moves(departures, 'CHECKED_IN', 'check-out'),
        ...this.moves(arrivals.filter(isOld), 'CONFIRMED', 'check-in'),
      ]),
    ]);
    await this.run([
      ...this.endings(ends.filter(isNew)),
      ...this.moves(arrivals.filter(isNew), 'CONFIRMED', 'check-in'),
    ]);
    const dayUse = arrivals.filter((booking) => booking.dayUse);
    await this.run(this.moves(dayUse, 'CHECKED_IN', 'check-out'));
  }

  private creations(bookings: readonly HotelBooking[]): Step[] {
    const { importId, propertyId, roomTypeId, ratePlanId, guestId } = this.scope;
    return bookings
      .filter((booking) => !this.rows.has(booking.row))
      .map((booking) => ({
        booking,
        job: {
          ctx: this.stamped(),
          claim: null,
          importRow: { importId, rowNumber: booking.row },
          command: {
            kind: 'create',
            reservationId: newId(),
            propertyId,
            roomTypeId,
            ratePlanId,
            guestId,
            arrival: booking.arrival,
            departure: booking.departure,
            dayUse: booking.dayUse,
            adults: booking.adults,
            children: booking.children,
            babies: booking.babies,
            holdSeconds: null,
            override: { amountMinor: booking.nightMinor, reason: 'adr of the imported file' },
            externalId: String(booking.row),
          },
        },
      }));
  }

  private endings(bookings: readonly HotelBooking[]): Step[] {
    return [
      ...this.moves(
        bookings.filter(({ status }) => status === 'Canceled'),
        'CONFIRMED',
        'cancel',
        'cancelled in the imported file',
      ),
      ...this.moves(
        bookings.filter(({ status }) => status === 'No-Show'),
        'CONFIRMED',
        'no-show',
      ),
    ].sort((a, b) => a.booking.row - b.booking.row);
  }

  private moves(
    bookings: readonly HotelBooking[],
    from: string,
    kind: 'cancel' | 'no-show' | 'check-in' | 'check-out',
    reason?: string,
  ): Step[] {
    return bookings.flatMap((booking) => {
      const row = this.rows.get(booking.row);
      if (!row?.reservationId || row.status !== from) return [];
      const command = { kind, reservationId: row.reservationId, ifVersion: null, ...(reason && { reason }) };
      return [{ booking, job: { ctx: this.stamped(), claim: null, command } }];
    });
  }

  /** Each command is a request of its own: one correlation id each. */
  private stamped(): OpContext {
    return { ...this.scope.ctx, correlationId: newId(), receivedAt: new Date() };
  }

  private async run(steps: readonly Step[]): Promise<void> {
    for (let i = 0; i < steps.length; i += MAX_LIST) {
      const list = steps.slice(i, i + MAX_LIST);
      const outcomes = await this.desk.submitList(
        this.scope.ctx.tenantId,
        list.map(({ job }) => job),
      );
      list.forEach((step, k) => this.note(step, outcomes[k]!));
      this.commands += list.length;
      this.onProgress(list.length);
    }
  }

  private note({ booking, job: { command } }: Step, outcome: { readonly body: string } | DomainError): void {
    if (outcome instanceof DomainError) {
      // A fault of ours is no outcome of the row: the ledger has none either, and the next run tries it again.
      if (command.kind !== 'create' || outcome.category === 'INTERNAL')
        throw new ReplayError(
          `row ${booking.row}: ${command.kind} was refused: ${outcome.code}: ${outcome.message}`,
        );
      this.rows.set(booking.row, {
        reservationId: null,
        status: null,
        code: outcome.code,
        reason: outcome.message,
      });
      return;
    }
    const { data } = JSON.parse(outcome.body) as { data: { id: string; status: string } };
    this.rows.set(booking.row, { reservationId: data.id, status: data.status, code: null, reason: null });
  }
}
