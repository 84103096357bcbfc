import { Body, Controller, Get, HttpCode, Inject, Post, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { OpContext } from '../../../platform/context/op-context.js';
import { Access } from '../../../platform/http/access.js';
import { answer, sendAnswer } from '../../../platform/http/answer.js';
import { decodeCursor, pageOf, type Page } from '../../../platform/http/pagination.js';
import { Ctx, PathId } from '../../../platform/http/request.js';
import { reservationView, type ReservationView } from '../contract/reservation-view.js';
import { MOVES, type Move } from '../domain/moves.js';
import { ReservationQueries, type Quote } from '../queries/reservation-queries.js';
import { ApiMoves, ApiQuote, ApiReservation, ApiReservations } from './reservation.docs.js';
import { overrideOf, SearchQuery, StayBody } from './reservation.dto.js';

@ApiTags('Reservations')
@Controller('v1')
export class ReservationQueriesController {
  constructor(@Inject(ReservationQueries) private readonly queries: ReservationQueries) {}

  @Post('reservations/quote')
  @HttpCode(200)
  @Access('reservation:quote')
  @ApiOperation({
    summary: 'What a stay costs now, night by night, and whether it could be had; keeps nothing',
  })
  @ApiQuote()
  async quote(@Ctx() ctx: OpContext, @Body() { priceOverride, ...stay }: StayBody): Promise<{ data: Quote }> {
    return { data: await this.queries.quote(ctx, { ...stay, override: overrideOf(priceOverride) }) };
  }

  @Get('reservations')
  @Access('reservation:read')
  @ApiOperation({
    summary: 'Search by guest, confirmation number, dates, state and property; ordered by arrival',
  })
  @ApiReservations()
  async search(@Ctx() ctx: OpContext, @Query() query: SearchQuery): Promise<Page<ReservationView>> {
    const { limit, cursor, status, ...search } = query;
    const place = decodeCursor(cursor, ['date', 'id']);
    const rows = await this.queries.search(
      ctx,
      { ...search, ...(status && { statuses: [status] }) },
      place && { arrival: place[0]!, id: place[1]! },
      limit + 1,
    );
    return pageOf(rows, limit, (row) => [row.arrival, row.reservationId], reservationView);
  }

  @Get('reservations/:id')
  @Access('reservation:read')
  @ApiOperation({ summary: 'One reservation, with its ETag' })
  @ApiReservation(200)
  async byId(@Ctx() ctx: OpContext, @PathId('id') id: string, @Res() reply: FastifyReply): Promise<void> {
    const reservation = await this.queries.byId(ctx, id);
    sendAnswer(reply, answer(200, reservationView(reservation), { etag: reservation.version }));
  }

  @Get('reservation-moves')
  @Access('reservation:read')
  @ApiOperation({ summary: 'The table of legal moves between the states of a reservation' })
  @ApiMoves()
  moves(): { data: readonly Move[] } {
    return { data: MOVES };
  }
}
