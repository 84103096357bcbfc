import { Body, Controller, Get, Patch, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { OpContext } from '../../../platform/context/op-context.js';
import type { Claim } from '../../../platform/database/idempotency.js';
import { Access } from '../../../platform/http/access.js';
import { answer, sendAnswer } from '../../../platform/http/answer.js';
import { KeptAnswers } from '../../../platform/http/kept-answers.js';
import { ApiAnswer, ApiList, ApiPage } from '../../../platform/http/openapi.js';
import { PageQuery, type Page } from '../../../platform/http/pagination.js';
import { Ctx, IdempotencyKey, IfMatch, PathId } from '../../../platform/http/request.js';
import { requireRange } from '../../../platform/http/ranges.js';
import type { Versioned } from '../../../platform/kernel/versioned.js';
import { ChangeRoomType } from '../commands/change-room-type/change-room-type.js';
import { CreateRoomType } from '../commands/create-room-type/create-room-type.js';
import { SetInventory } from '../commands/set-inventory/set-inventory.js';
import { MAX_RANGE_NIGHTS } from '../domain/room-type-rules.js';
import { InventoryQueries } from '../queries/inventory-queries.js';
import { AvailabilityView, CounterView, RoomTypeView } from '../queries/inventory-views.js';
import {
  AvailabilityQuery,
  ChangeRoomTypeBody,
  CountersQuery,
  CreateRoomTypeBody,
  SetInventoryBody,
} from './inventory.dto.js';

@ApiTags('inventory')
@Controller('v1/properties/:propertyId')
export class InventoryController {
  constructor(
    private readonly createRoomType: CreateRoomType,
    private readonly changeRoomType: ChangeRoomType,
    private readonly setInventory: SetInventory,
    private readonly queries: InventoryQueries,
  ) {}

  private readonly kept = new KeptAnswers();

  @Post('room-types')
  @Access('room-type:write')
  @ApiAnswer(201, RoomTypeView)
  async create(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @PathId('propertyId') propertyId: string,
    @Body() body: CreateRoomTypeBody,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    sendAnswer(reply, await this.createRoomType.execute(ctx, { ...body, propertyId }, claim));
  }

  @Get('room-types')
  @Access('room-type:read')
  @ApiPage(RoomTypeView)
  list(
    @Ctx() ctx: OpContext,
    @PathId('propertyId') propertyId: string,
    @Query() query: PageQuery,
  ): Promise<Page<RoomTypeView>> {
    return this.queries.roomTypes(ctx, propertyId, query);
  }

  @Get('room-types/:roomTypeId')
  @Access('room-type:read')
  @ApiAnswer(200, RoomTypeView)
  async get(
    @Ctx() ctx: OpContext,
    @PathId('propertyId') propertyId: string,
    @PathId('roomTypeId') roomTypeId: string,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const roomType = await this.queries.roomType(ctx, propertyId, roomTypeId);
    sendAnswer(reply, answer(200, roomType, { etag: roomType.version }));
  }

  @Patch('room-types/:roomTypeId')
  @Access('room-type:write')
  @ApiAnswer(200, RoomTypeView)
  async change(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @PathId('propertyId') propertyId: string,
    @PathId('roomTypeId') roomTypeId: string,
    @IfMatch() ifVersion: number,
    @Body() body: ChangeRoomTypeBody,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const input = { ...body, propertyId, roomTypeId, ifVersion };
    sendAnswer(reply, await this.changeRoomType.execute(ctx, input, claim));
  }

  @Patch('room-types/:roomTypeId/inventory')
  @Access('inventory:write')
  @ApiAnswer(200, RoomTypeView)
  async set(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @PathId('propertyId') propertyId: string,
    @PathId('roomTypeId') roomTypeId: string,
    @IfMatch() ifVersion: number,
    @Body() body: SetInventoryBody,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    requireRange(body.from, body.to);
    const input = { ...body, propertyId, roomTypeId, ifVersion };
    sendAnswer(reply, await this.setInventory.execute(ctx, input, claim));
  }

  @Get('inventory')
  @Access('inventory:read')
  @ApiList(CounterView)
  async counters(
    @Ctx() ctx: OpContext,
    @PathId('propertyId') propertyId: string,
    @Query() query: CountersQuery,
  ): Promise<{ data: CounterView[] }> {
    requireRange(query.from, query.to, MAX_RANGE_NIGHTS);
    return { data: await this.queries.counters(ctx, propertyId, query) };
  }

  @Get('availability')
  @Access('inventory:read')
  @ApiList(AvailabilityView)
  async availability(
    @Ctx() ctx: OpContext,
    @PathId('propertyId') propertyId: string,
    @Query() query: AvailabilityQuery,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const { from, to } = query;
    requireRange(from, to, MAX_RANGE_NIGHTS);
    const read = (known: string | null): Promise<Versioned<AvailabilityView[]>> =>
      this.queries.availability(ctx, propertyId, query, known);
    sendAnswer(reply, await this.kept.answer([ctx.tenantId, propertyId, from, to], read));
  }
}
