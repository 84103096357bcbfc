import { Body, Controller, Get, HttpCode, Inject, Post, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { OpContext } from '../../../platform/context/op-context.js';
import type { Claim } from '../../../platform/database/idempotency.js';
import { Access } from '../../../platform/http/access.js';
import { sendAnswer } from '../../../platform/http/answer.js';
import { ApiAnswer } from '../../../platform/http/openapi.js';
import { decodeCursor, pageOf, PageQuery, type Page } from '../../../platform/http/pagination.js';
import { Ctx, IdempotencyKey, PathId } from '../../../platform/http/request.js';
import { invalid } from '../../../platform/kernel/errors.js';
import { RequestResumption } from '../commands/request-resumption/request-resumption.js';
import type { EventLifecycle } from '../queries/event-lifecycle.js';
import { LifecycleQueries, type RequestPlace } from '../queries/lifecycle-queries.js';
import { RequestLifecycleDto, ReservationLifecycleDto, ResumeBody, ResumptionDto } from './lifecycle.dto.js';

interface LifecycleAnswer<T> {
  readonly data: T;
  readonly pagination: Page<EventLifecycle>['pagination'];
}

@ApiTags('Lifecycle')
@Controller('v1')
export class LifecycleController {
  constructor(
    @Inject(LifecycleQueries) private readonly queries: LifecycleQueries,
    @Inject(RequestResumption) private readonly resumption: RequestResumption,
  ) {}

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
  ): Promise<LifecycleAnswer<object>> {
    const lifecycle = await this.queries.ofReservation(ctx, id, versionOf(cursor), limit + 1);
    return paged(lifecycle, limit, ({ keySeq }) => [String(keySeq)]);
  }

  @Get('requests/:correlationId')
  @Access('lifecycle:read')
  @ApiOperation({
    summary: 'Where a request is: every event that it caused. One that changed nothing has no record',
  })
  @ApiAnswer(200, RequestLifecycleDto)
  async ofRequest(
    @Ctx() ctx: OpContext,
    @PathId('correlationId') id: string,
    @Query() { cursor, limit }: PageQuery,
  ): Promise<LifecycleAnswer<object>> {
    const lifecycle = await this.queries.ofRequest(ctx, id, placeOf(cursor), limit + 1);
    return paged(lifecycle, limit, ({ checkpoints, aggregateId, keySeq }) => [
      checkpoints.persistedAt!,
      aggregateId,
      String(keySeq),
    ]);
  }

  @Post('reservations/:id/resume')
  @HttpCode(202)
  @Access('lifecycle:resume')
  @ApiOperation({
    summary: 'Go on with a reservation from its last checkpoint; the lifecycle shows the outcome',
  })
  @ApiAnswer(202, ResumptionDto)
  async resumeReservation(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @PathId('id') id: string,
    @Body() { reason }: ResumeBody,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    sendAnswer(reply, await this.resumption.execute(ctx, { type: 'reservation', id }, reason, claim));
  }

  @Post('requests/:correlationId/resume')
  @HttpCode(202)
  @Access('lifecycle:resume')
  @ApiOperation({
    summary: 'Go on with all that a request caused from the last checkpoint; the lifecycle shows the outcome',
  })
  @ApiAnswer(202, ResumptionDto)
  async resumeRequest(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @PathId('correlationId') id: string,
    @Body() { reason }: ResumeBody,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    sendAnswer(reply, await this.resumption.execute(ctx, { type: 'request', id }, reason, claim));
  }
}

function paged<T extends { readonly events: readonly EventLifecycle[] }>(
  lifecycle: T,
  limit: number,
  partsOf: (event: EventLifecycle) => readonly string[],
): LifecycleAnswer<T> {
  const { data, pagination } = pageOf(lifecycle.events, limit, partsOf, (event) => event);
  return { data: { ...lifecycle, events: data }, pagination };
}

const SEQ = /^[1-9]\d{0,8}$/;
const noSuchCursor = () => invalid('CURSOR_INVALID', 'cursor', 'No such cursor.');

/** @throws DomainError CURSOR_INVALID */
function versionOf(cursor: string | undefined): number | null {
  const parts = decodeCursor(cursor, ['text']);
  if (parts === null) return null;
  if (!SEQ.test(parts[0]!)) throw noSuchCursor();
  return Number(parts[0]);
}

/** @throws DomainError CURSOR_INVALID */
function placeOf(cursor: string | undefined): RequestPlace | null {
  const parts = decodeCursor(cursor, ['text', 'id', 'text']);
  if (parts === null) return null;
  const [time, aggregateId, seq] = parts as [string, string, string];
  if (!/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z$/.test(time) || Number.isNaN(Date.parse(time)) || !SEQ.test(seq))
    throw noSuchCursor();
  return [time, aggregateId, Number(seq)];
}
