import { Controller, Get, Inject, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { OpContext } from '../../../platform/context/op-context.js';
import { Access } from '../../../platform/http/access.js';
import { ApiAnswer } from '../../../platform/http/openapi.js';
import { decodeCursor, pageOf, PageQuery, type Page } from '../../../platform/http/pagination.js';
import { Ctx, PathId } from '../../../platform/http/request.js';
import { invalid } from '../../../platform/kernel/errors.js';
import {
  type EventLifecycle,
  LifecycleQueries,
  type ReservationLifecycle,
} from '../queries/lifecycle-queries.js';
import { ReservationLifecycleDto } from './lifecycle.dto.js';

interface LifecycleAnswer {
  readonly data: ReservationLifecycle;
  readonly pagination: Page<EventLifecycle>['pagination'];
}

@ApiTags('Lifecycle')
@Controller('v1')
export class LifecycleController {
  constructor(@Inject(LifecycleQueries) private readonly queries: LifecycleQueries) {}

  @Get('reservations/:id/lifecycle')
  @Access('lifecycle:read')
  @ApiOperation({
    summary: 'Where the requests on a reservation are: state, since when, what next, and every checkpoint',
  })
  @ApiAnswer(200, ReservationLifecycleDto)
  async ofReservation(
    @Ctx() ctx: OpContext,
    @PathId('id') id: string,
    @Query() { cursor, limit }: PageQuery,
  ): Promise<LifecycleAnswer> {
    const lifecycle = await this.queries.ofReservation(ctx, id, versionOf(cursor), limit + 1);
    const { data, pagination } = pageOf(
      lifecycle.events,
      limit,
      (event) => [String(event.keySeq)],
      (event) => event,
    );
    return { data: { ...lifecycle, events: data }, pagination };
  }
}

/** @throws DomainError CURSOR_INVALID */
function versionOf(cursor: string | undefined): number | null {
  const parts = decodeCursor(cursor, ['text']);
  if (parts === null) return null;
  if (!/^[1-9]\d{0,8}$/.test(parts[0]!)) throw invalid('CURSOR_INVALID', 'cursor', 'No such cursor.');
  return Number(parts[0]);
}
