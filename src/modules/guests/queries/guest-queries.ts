import { Injectable } from '@nestjs/common';
import { In } from 'typeorm';
import type { OpContext } from '../../../platform/context/op-context.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { decodeCursor, pageOf, type Page, type PageQuery } from '../../../platform/http/pagination.js';
import { findGuest, searchGuests } from '../persistence/guest-rows.js';
import { GuestEntity } from '../persistence/guest.entity.js';
import { guestView, type GuestView } from './guest-view.js';

/** Reads of guests. */
@Injectable()
export class GuestQueries {
  constructor(private readonly uow: UnitOfWork) {}

  /** @throws DomainError GUEST_NOT_FOUND (404) */
  get(ctx: OpContext, guestId: string): Promise<GuestView> {
    return this.uow.run(ctx, 'guest.get', async (tx) => guestView(await findGuest(tx, guestId)));
  }

  /** By last name; `search` is the beginning of a last name or a mail address. @throws DomainError CURSOR_INVALID (400) */
  list(
    ctx: OpContext,
    { limit, cursor, search }: PageQuery & { readonly search?: string },
  ): Promise<Page<GuestView>> {
    const after = decodeCursor(cursor, ['id'])?.[0] ?? null;
    return this.uow.run(ctx, 'guest.list', async (tx) => {
      const ids = await searchGuests(tx, search ?? null, after, limit + 1);
      const rows = await tx.entities.findBy(GuestEntity, { tenantId: tx.tenantId, guestId: In(ids) });
      const byId = new Map(rows.map((row) => [row.guestId, row]));
      const inOrder = ids.map((id) => byId.get(id)).filter((row) => row !== undefined);
      return pageOf(inOrder, limit, (row) => [row.guestId], guestView);
    });
  }
}
