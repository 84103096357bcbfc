import { Inject, Injectable } from '@nestjs/common';
import type { OpContext } from '../../../platform/context/op-context.js';
import { type ReadTx, UnitOfWork } from '../../../platform/database/unit-of-work.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import { nightsOf } from '../../../platform/kernel/dates.js';
import { invalid, notFound } from '../../../platform/kernel/errors.js';
import { newId } from '../../../platform/kernel/ids.js';
import { propertyCurrency } from '../../properties/contract/property-lookup.js';
import type { CreateCommand } from '../domain/commands.js';
import { decide } from '../domain/decide.js';
import { House } from '../domain/house.js';
import type { Status } from '../domain/moves.js';
import { totalMinor, type Reservation } from '../domain/reservation.js';
import type { ReservationRow } from '../persistence/reservation-row.js';
import { lookAtHouse } from '../persistence/reservation-store.js';
import {
  BY_ID,
  SEARCH_BY_GUEST,
  SEARCH_BY_NAME,
  SEARCH_BY_NUMBER,
  SEARCH_BY_PROPERTY,
} from '../persistence/search.js';

/**
 * What to look for; all given conditions hold. Dates are inclusive. Of guest id, guest name and confirmation number at most
 * one: each names a reservation's guest or the reservation itself.
 */
export interface Search {
  readonly propertyId?: string;
  readonly statuses?: readonly Status[];
  readonly arrivalFrom?: IsoDate;
  readonly arrivalTo?: IsoDate;
  readonly departureFrom?: IsoDate;
  readonly departureTo?: IsoDate;
  readonly guestId?: string;
  /** The beginning of the guest's last name, in any case. */
  readonly guestName?: string;
  readonly confirmationNumber?: string;
}

/** Where the last page ended. */
export interface SearchCursor {
  readonly arrival: string;
  readonly id: string;
}

/** What a stay would cost now, and whether it could be had. Nothing is kept of it. */
export interface Quote {
  readonly currency: string;
  readonly totalMinor: number;
  readonly available: boolean;
  /** The first night without a free room, if any. */
  readonly firstNightLacking: string | null;
  readonly nights: readonly {
    readonly night: string;
    readonly amountMinor: number;
    readonly available: number;
  }[];
}

/** Reads of reservations, in the caller's tenant. */
@Injectable()
export class ReservationQueries {
  constructor(@Inject(UnitOfWork) private readonly uow: UnitOfWork) {}

  /** @throws DomainError RESERVATION_NOT_FOUND */
  async byId(ctx: OpContext, id: string): Promise<Reservation> {
    const [row] = await this.uow.read(ctx, 'reservations.read', (tx) =>
      tx.query<ReservationRow>(BY_ID, [ctx.tenantId, id]),
    );
    if (!row) throw notFound('reservation');
    return row;
  }

  /** A page in the order of (arrival, id). @throws DomainError PROPERTY_NOT_FOUND (404), SEARCH_AMBIGUOUS (400) */
  async search(
    ctx: OpContext,
    search: Search,
    cursor: SearchCursor | null,
    limit: number,
  ): Promise<Reservation[]> {
    const named = [search.guestId, search.guestName, search.confirmationNumber].filter(
      (name) => name !== undefined,
    );
    if (named.length > 1)
      throw invalid('SEARCH_AMBIGUOUS', 'guestId', 'Give one of guestId, guestName and confirmationNumber.');
    const common = [
      ctx.tenantId,
      search.propertyId ?? null,
      search.statuses ?? null,
      search.arrivalFrom ?? null,
      search.arrivalTo ?? null,
      search.departureFrom ?? null,
      search.departureTo ?? null,
      cursor?.arrival ?? null,
      cursor?.id ?? null,
      limit,
    ];
    const found = (tx: ReadTx): Promise<ReservationRow[]> => {
      const { confirmationNumber, guestId, guestName } = search;
      if (confirmationNumber)
        return tx.query(SEARCH_BY_NUMBER, [...common, confirmationNumber.toUpperCase()]);
      if (guestId) return tx.query(SEARCH_BY_GUEST, [...common, guestId]);
      if (guestName) return tx.query(SEARCH_BY_NAME, [...common, guestName]);
      return tx.query(SEARCH_BY_PROPERTY, common);
    };
    return this.uow.read(ctx, 'reservations.search', async (tx) => {
      const { propertyId } = search;
      const [, rows] = await Promise.all([propertyId && propertyCurrency(tx, propertyId), found(tx)]);
      return rows;
    });
  }

  /**
   * Prices a stay by the same rules as a creation, without a guest, a lock or a trace.
   * @throws DomainError whatever a creation would be refused for, but for NO_AVAILABILITY, which the quote tells
   */
  async quote(
    ctx: OpContext,
    wish: Omit<CreateCommand, 'kind' | 'reservationId' | 'guestId' | 'holdSeconds' | 'externalId'>,
  ): Promise<Quote> {
    const guestId = newId();
    const command: CreateCommand = {
      ...wish,
      kind: 'create',
      reservationId: newId(),
      guestId,
      holdSeconds: null,
      externalId: null,
    };
    const snapshot = await this.uow.run(ctx, 'reservations.quote', (tx) => lookAtHouse(tx, command));
    const open = { ...snapshot, guestIds: [guestId], confirmationNumbers: ['QUOTE'] };
    // Priced in a house with room for everyone, so that a full night is told and not refused.
    const roomy = new House({
      ...open,
      nights: snapshot.nights.map((night) => ({ ...night, sold: 0, rooms: 1 })),
    });
    const { after } = decide(roomy, ctx, command);
    const house = new House(open);
    const nights = nightsOf(after.arrival, after.departure).map((night, i) => ({
      night,
      amountMinor: after.nightlyMinor[i]!,
      available: house.available(after.roomTypeId, night),
    }));
    const lacking = nights.find((night) => night.available < 1)?.night ?? null;
    return {
      currency: after.currency,
      totalMinor: totalMinor(after),
      available: lacking === null,
      firstNightLacking: lacking,
      nights,
    };
  }
}
