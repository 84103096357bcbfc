import { Body, Controller, Get, HttpCode, Patch, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { OpContext } from '../../../platform/context/op-context.js';
import type { Claim } from '../../../platform/database/idempotency.js';
import { Access } from '../../../platform/http/access.js';
import { answer, sendAnswer } from '../../../platform/http/answer.js';
import { ApiAnswer, ApiPage } from '../../../platform/http/openapi.js';
import { PageQuery, type Page } from '../../../platform/http/pagination.js';
import { Ctx, IdempotencyKey, IfMatch, PathId } from '../../../platform/http/request.js';
import { AdvanceBusinessDate } from '../commands/advance-business-date/advance-business-date.js';
import { ChangeProperty } from '../commands/change-property/change-property.js';
import { CreatePropertyBody } from '../commands/create-property/create-property.body.js';
import { CreateProperty } from '../commands/create-property/create-property.js';
import { PropertyQueries } from '../queries/property-queries.js';
import { PropertyView } from '../queries/property-view.js';
import { AdvanceBusinessDateBody, ChangePropertyBody } from './property.dto.js';

@ApiTags('properties')
@Controller('v1/properties')
export class PropertyController {
  constructor(
    private readonly createProperty: CreateProperty,
    private readonly changeProperty: ChangeProperty,
    private readonly advanceBusinessDate: AdvanceBusinessDate,
    private readonly queries: PropertyQueries,
  ) {}

  @Post()
  @Access('property:write')
  @ApiAnswer(201, PropertyView)
  async create(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @Body() body: CreatePropertyBody,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    sendAnswer(reply, await this.createProperty.execute(ctx, body, claim));
  }

  @Get()
  @Access('property:read')
  @ApiPage(PropertyView)
  list(@Ctx() ctx: OpContext, @Query() query: PageQuery): Promise<Page<PropertyView>> {
    return this.queries.list(ctx, query);
  }

  @Get(':propertyId')
  @Access('property:read')
  @ApiAnswer(200, PropertyView)
  async get(
    @Ctx() ctx: OpContext,
    @PathId('propertyId') propertyId: string,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const property = await this.queries.get(ctx, propertyId);
    sendAnswer(reply, answer(200, property, { etag: property.version }));
  }

  @Patch(':propertyId')
  @Access('property:write')
  @ApiAnswer(200, PropertyView)
  async change(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @PathId('propertyId') propertyId: string,
    @IfMatch() ifVersion: number,
    @Body() body: ChangePropertyBody,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    sendAnswer(reply, await this.changeProperty.execute(ctx, { ...body, propertyId, ifVersion }, claim));
  }

  @Post(':propertyId/business-date/advance')
  @HttpCode(200)
  @Access('business-date:advance')
  @ApiAnswer(200, PropertyView)
  async advance(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @PathId('propertyId') propertyId: string,
    @Body() body: AdvanceBusinessDateBody,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    sendAnswer(reply, await this.advanceBusinessDate.execute(ctx, { ...body, propertyId }, claim));
  }
}
