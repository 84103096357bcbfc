import { Inject, Injectable } from '@nestjs/common';
import type { OpContext } from '../../../platform/context/op-context.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import { conflict } from '../../../platform/kernel/errors.js';
import { newId } from '../../../platform/kernel/ids.js';
import { AdvanceBusinessDate } from '../../properties/contract/advance-business-date.js';
import { ReservationDesk } from '../../reservations/contract/reservation-desk.js';
import { Calendar } from '../domain/calendar.js';
import {
  CREATE_IMPORT,
  DEAD_LETTERS,
  FIND_IMPORT,
  PROGRESS,
  READ_LEDGER,
  READ_MODEL_DIFFERENCES,
  SUM_UP,
} from '../persistence/ledger.js';
import type { BookingFile } from './read-bookings.js';
import { ReplayError, ReplayWalk, type ReplayScope, type RowState } from './replay-walk.js';
import { ReplayHouse } from './replay-house.js';

/** What a replay came to; the keys of `--json`. Money in minor units. */
export interface ReplaySummary {
  readonly rows: number;
  readonly refusedEmptyParty: number;
  readonly refusedNoAvailability: number;
  readonly accepted: number;
  readonly checkedOut: number;
  readonly cancelled: number;
  readonly noShow: number;
  readonly roomNights: number;
  readonly revenueMinor: number;
  /** Of this run; a run that found everything done has none. */
  readonly commands: number;
  readonly commandsPerSecond: number;
  readonly applied: number;
  readonly pending: number;
  readonly deadLettered: number;
  readonly seconds: number;
}

/** A row that was refused, for the CSV. */
export interface RefusedRow {
  readonly row: number;
  readonly code: string;
  readonly reason: string;
}

/** How far a replay is, for a progress bar. */
export interface ReplayProgress {
  /** Commands that the whole file takes if nothing is refused. */
  planned(total: number): void;
  /** Commands that an earlier run has done. */
  found(commands: number): void;
  done(commands: number): void;
  /** The walk is over; waiting for the consumer. */
  waiting(pending: number): void;
}

/** Longest time without any progress of the consumer before the replay gives up waiting, ms. */
const PATIENCE_MS = 60_000;
const LOOK_EVERY_MS = 100;

interface Applied {
  readonly applied: number;
  readonly pending: number;
}

/** Replays the Hotel Booking Demand file day by day through the commands that HTTP uses. */
@Injectable()
export class ReplayHotelBookings {
  constructor(
    @Inject(UnitOfWork) private readonly uow: UnitOfWork,
    @Inject(ReservationDesk) private readonly desk: ReservationDesk,
    @Inject(AdvanceBusinessDate) private readonly advance: AdvanceBusinessDate,
    @Inject(ReplayHouse) private readonly house: ReplayHouse,
  ) {}

  /**
   * Goes on where an earlier run stopped; run on what is done, it adds nothing. Waits for the consumer at its end.
   * @throws DomainError IMPORT_FILE_CHANGED, BUSINESS_DATE_PAST (409); ReplayError when what must succeed was refused or
   * the consumer stands still
   */
  async execute(
    ctx: OpContext,
    input: { readonly file: BookingFile; readonly propertyCode: string; readonly rooms: number },
    progress: ReplayProgress,
  ): Promise<{ summary: ReplaySummary; refused: readonly RefusedRow[] }> {
    const started = performance.now();
    const { bookings, sha256 } = input.file;
    const calendar = new Calendar(bookings);
    const place = await this.house.prepare(ctx, input.propertyCode, input.rooms, calendar.firstDay);
    const importId = await this.openImport(
      ctx,
      place.propertyId,
      sha256,
      place.businessDate,
      calendar.firstDay,
    );
    const rows = await this.ledger(ctx, importId);
    const scope: ReplayScope = { ctx, importId, ...place };
    const walk = new ReplayWalk(this.desk, scope, calendar, rows, (commands) => progress.done(commands));
    progress.planned(bookings.reduce((sum, { status }) => sum + (status === 'Check-Out' ? 3 : 2), 0));
    progress.found((await this.look(ctx, importId)).applied);
    for (let day = place.businessDate; day <= calendar.lastDay;) {
      await walk.day(day);
      const next = calendar.next(day);
      await this.advance.through(ctx, { propertyId: place.propertyId, from: day, to: next });
      day = next;
    }
    const walked = (performance.now() - started) / 1000;
    const { applied, pending } = await this.untilApplied(ctx, importId, progress);
    await this.readModelMustMatch(ctx, place.propertyId);
    return this.sumUp(ctx, importId, rows, {
      rows: bookings.length,
      commands: walk.commands,
      commandsPerSecond: Math.round(walk.commands / walked),
      applied,
      pending,
      seconds: Math.round((performance.now() - started) / 100) / 10,
    });
  }

  private async openImport(
    ctx: OpContext,
    propertyId: string,
    sha256: string,
    businessDate: IsoDate,
    firstDay: IsoDate,
  ): Promise<string> {
    return this.uow.run(ctx, 'imports.open', async (tx) => {
      const [found] = await tx.query<{ importId: string; fileSha256: string }>(FIND_IMPORT, [
        ctx.tenantId,
        propertyId,
      ]);
      if (found && found.fileSha256 !== sha256)
        throw conflict(
          'IMPORT_FILE_CHANGED',
          'Another file was replayed into this property; use the same, or another property.',
        );
      if (found) return found.importId;
      if (businessDate > firstDay)
        throw conflict(
          'BUSINESS_DATE_PAST',
          `The property's business date is ${businessDate}, and the file begins on ${firstDay}.`,
        );
      const importId = newId();
      await tx.query(CREATE_IMPORT, [ctx.tenantId, importId, propertyId, sha256]);
      return importId;
    });
  }

  private async ledger(ctx: OpContext, importId: string): Promise<Map<number, RowState>> {
    const rows = await this.uow.run(ctx, 'imports.read_ledger', (tx) =>
      tx.query<RowState & { rowNumber: number }>(READ_LEDGER, [ctx.tenantId, importId]),
    );
    return new Map(rows.map(({ rowNumber, ...state }) => [rowNumber, state]));
  }

  private look(ctx: OpContext, importId: string): Promise<Applied> {
    return this.uow.run(ctx, 'imports.progress', async (tx) => {
      const [row] = await tx.query<Applied>(PROGRESS, [ctx.tenantId, importId]);
      return row!;
    });
  }

  private async untilApplied(ctx: OpContext, importId: string, progress: ReplayProgress): Promise<Applied> {
    let last = await this.look(ctx, importId);
    for (let since = performance.now(); last.pending > 0;) {
      progress.waiting(last.pending);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      const now = await this.look(ctx, importId);
      if (now.pending < last.pending) since = performance.now();
      else if (performance.now() - since > PATIENCE_MS)
        throw new ReplayError(
          `${now.pending} commands are accepted and not applied, and the consumer stands still`,
        );
      last = now;
    }
    return last;
  }

  private async readModelMustMatch(ctx: OpContext, propertyId: string): Promise<void> {
    const [row] = await this.uow.run(ctx, 'imports.compare', (tx) =>
      tx.query<{ count: number }>(READ_MODEL_DIFFERENCES, [ctx.tenantId, propertyId]),
    );
    if (row!.count > 0)
      throw new ReplayError(`the occupancy read model differs from a recount in ${row!.count} nights`);
  }

  private async sumUp(
    ctx: OpContext,
    importId: string,
    rows: ReadonlyMap<number, RowState>,
    run: Pick<ReplaySummary, 'rows' | 'commands' | 'commandsPerSecond' | 'applied' | 'pending' | 'seconds'>,
  ): Promise<{ summary: ReplaySummary; refused: readonly RefusedRow[] }> {
    const refused = [...rows]
      .filter(([, { code }]) => code !== null)
      .map(([row, { code, reason }]) => ({ row, code: code!, reason: reason ?? '' }))
      .sort((a, b) => a.row - b.row);
    const sums = await this.uow.run(ctx, 'imports.sum_up', async (tx) => {
      type Sums = Pick<
        ReplaySummary,
        'accepted' | 'checkedOut' | 'cancelled' | 'noShow' | 'roomNights' | 'revenueMinor'
      >;
      const [sum] = await tx.query<Sums>(SUM_UP, [ctx.tenantId, importId]);
      const [dead] = await tx.query<{ count: number }>(DEAD_LETTERS, [ctx.tenantId]);
      return { ...sum!, deadLettered: dead!.count };
    });
    const refusedFor = (code: string): number => refused.filter((row) => row.code === code).length;
    const summary: ReplaySummary = {
      rows: run.rows,
      refusedEmptyParty: refusedFor('PARTY_EMPTY'),
      refusedNoAvailability: refusedFor('NO_AVAILABILITY'),
      accepted: sums.accepted,
      checkedOut: sums.checkedOut,
      cancelled: sums.cancelled,
      noShow: sums.noShow,
      roomNights: sums.roomNights,
      revenueMinor: sums.revenueMinor,
      commands: run.commands,
      commandsPerSecond: run.commandsPerSecond,
      applied: run.applied,
      pending: run.pending,
      deadLettered: sums.deadLettered,
      seconds: run.seconds,
    };
    return { summary, refused };
  }
}
