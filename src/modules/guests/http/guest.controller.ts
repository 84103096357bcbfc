import { Body, Controller, Get, Patch, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { OpContext } from '../../../platform/context/op-context.js';
import type { Claim } from '../../../platform/database/idempotency.js';
import { Access } from '../../../platform/http/access.js';
import { answer, sendAnswer } from '../../../platform/http/answer.js';
import { ApiAnswer, ApiPage } from '../../../platform/http/openapi.js';
import type { Page } from '../../../platform/http/pagination.js';
import { Ctx, IdempotencyKey, IfMatch, PathId } from '../../../platform/http/request.js';
import { ChangeGuest } from '../commands/change-guest/change-guest.js';
import { CreateGuest } from '../commands/create-guest/create-guest.js';
import { GuestQueries } from '../queries/guest-queries.js';
import { GuestRefView, GuestView } from '../queries/guest-view.js';
import { ChangeGuestBody, CreateGuestBody, GuestsQuery } from './guest.dto.js';

@ApiTags('guests')
@Controller('v1/guests')
export class GuestController {
  constructor(
    private readonly createGuest: CreateGuest,
    private readonly changeGuest: ChangeGuest,
    private readonly queries: GuestQueries,
  ) {}

  @Post()
  @Access('guest:write')
  @ApiAnswer(201, GuestRefView, 'Id and version only: answers are kept, names are not.')
  async create(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @Body() body: CreateGuestBody,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    sendAnswer(reply, await this.createGuest.execute(ctx, body, claim));
  }

  @Get()
  @Access('guest:read')
  @ApiPage(GuestView)
  list(@Ctx() ctx: OpContext, @Query() query: GuestsQuery): Promise<Page<GuestView>> {
    return this.queries.list(ctx, query);
  }

  @Get(':guestId')
  @Access('guest:read')
  @ApiAnswer(200, GuestView)
  async get(
    @Ctx() ctx: OpContext,
    @PathId('guestId') guestId: string,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const guest = await this.queries.get(ctx, guestId);
    sendAnswer(reply, answer(200, guest, { etag: guest.version }));
  }

  @Patch(':guestId')
  @Access('guest:write')
  @ApiAnswer(200, GuestRefView, 'Id and version only: answers are kept, names are not.')
  async change(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @PathId('guestId') guestId: string,
    @IfMatch() ifVersion: number,
    @Body() body: ChangeGuestBody,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    sendAnswer(reply, await this.changeGuest.execute(ctx, { ...body, guestId, ifVersion }, claim));
  }
}
