import { Body, Controller, Get, Patch, Post, Put, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { OpContext } from '../../../platform/context/op-context.js';
import type { Claim } from '../../../platform/database/idempotency.js';
import { Access } from '../../../platform/http/access.js';
import { answer, sendAnswer } from '../../../platform/http/answer.js';
import { ApiAnswer, ApiPage } from '../../../platform/http/openapi.js';
import { PageQuery, type Page } from '../../../platform/http/pagination.js';
import { requireRange } from '../../../platform/http/ranges.js';
import { Ctx, IdempotencyKey, IfMatch, PathId } from '../../../platform/http/request.js';
import { ChangeRatePlan } from '../commands/change-rate-plan/change-rate-plan.js';
import { CreateRatePlan } from '../commands/create-rate-plan/create-rate-plan.js';
import { SetPrices } from '../commands/set-prices/set-prices.js';
import { RatePlanQueries } from '../queries/rate-plan-queries.js';
import { PriceView, RatePlanView } from '../queries/rate-plan-views.js';
import { ChangeRatePlanBody, CreateRatePlanBody, PricesQuery, SetPricesBody } from './rate-plan.dto.js';

@ApiTags('rate plans')
@Controller('v1/properties/:propertyId/rate-plans')
export class RatePlanController {
  constructor(
    private readonly createRatePlan: CreateRatePlan,
    private readonly changeRatePlan: ChangeRatePlan,
    private readonly setPrices: SetPrices,
    private readonly queries: RatePlanQueries,
  ) {}

  @Post()
  @Access('rate-plan:write')
  @ApiAnswer(201, RatePlanView)
  async create(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @PathId('propertyId') propertyId: string,
    @Body() body: CreateRatePlanBody,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    sendAnswer(reply, await this.createRatePlan.execute(ctx, { ...body, propertyId }, claim));
  }

  @Get()
  @Access('rate-plan:read')
  @ApiPage(RatePlanView)
  list(
    @Ctx() ctx: OpContext,
    @PathId('propertyId') propertyId: string,
    @Query() query: PageQuery,
  ): Promise<Page<RatePlanView>> {
    return this.queries.list(ctx, propertyId, query);
  }

  @Get(':ratePlanId')
  @Access('rate-plan:read')
  @ApiAnswer(200, RatePlanView)
  async get(
    @Ctx() ctx: OpContext,
    @PathId('propertyId') propertyId: string,
    @PathId('ratePlanId') ratePlanId: string,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const plan = await this.queries.get(ctx, propertyId, ratePlanId);
    sendAnswer(reply, answer(200, plan, { etag: plan.version }));
  }

  @Patch(':ratePlanId')
  @Access('rate-plan:write')
  @ApiAnswer(200, RatePlanView)
  async change(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @PathId('propertyId') propertyId: string,
    @PathId('ratePlanId') ratePlanId: string,
    @IfMatch() ifVersion: number,
    @Body() body: ChangeRatePlanBody,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const input = { ...body, propertyId, ratePlanId, ifVersion };
    sendAnswer(reply, await this.changeRatePlan.execute(ctx, input, claim));
  }

  @Put(':ratePlanId/prices')
  @Access('rate-plan:write')
  @ApiAnswer(200, RatePlanView)
  async put(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @PathId('propertyId') propertyId: string,
    @PathId('ratePlanId') ratePlanId: string,
    @IfMatch() ifVersion: number,
    @Body() body: SetPricesBody,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    if (body.to) requireRange(body.from, body.to);
    const input = { ...body, propertyId, ratePlanId, ifVersion };
    sendAnswer(reply, await this.setPrices.execute(ctx, input, claim));
  }

  @Get(':ratePlanId/prices')
  @Access('rate-plan:read')
  @ApiPage(PriceView)
  prices(
    @Ctx() ctx: OpContext,
    @PathId('propertyId') propertyId: string,
    @PathId('ratePlanId') ratePlanId: string,
    @Query() query: PricesQuery,
  ): Promise<Page<PriceView>> {
    if (query.from && query.to) requireRange(query.from, query.to);
    return this.queries.prices(ctx, propertyId, ratePlanId, query);
  }
}
