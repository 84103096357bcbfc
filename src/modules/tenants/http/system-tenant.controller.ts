import { Body, Controller, Get, Patch, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { OpContext } from '../../../platform/context/op-context.js';
import type { Claim } from '../../../platform/database/idempotency.js';
import { Access } from '../../../platform/http/access.js';
import { answer, sendAnswer } from '../../../platform/http/answer.js';
import { ApiAnswer, ApiPage } from '../../../platform/http/openapi.js';
import { PageQuery, type Page } from '../../../platform/http/pagination.js';
import { Ctx, IdempotencyKey, IfMatch, PathId } from '../../../platform/http/request.js';
import { ChangeTenant } from '../commands/change-tenant/change-tenant.js';
import { CreateTenant } from '../commands/create-tenant/create-tenant.js';
import { TenantQueries } from '../queries/tenant-queries.js';
import { TenantView } from '../queries/tenant-view.js';
import { ChangeTenantBody, CreateTenantBody } from './tenant.dto.js';

/** Tenants, for the platform. */
@ApiTags('system')
@Controller('v1/system/tenants')
export class SystemTenantController {
  constructor(
    private readonly createTenant: CreateTenant,
    private readonly changeTenant: ChangeTenant,
    private readonly queries: TenantQueries,
  ) {}

  @Post()
  @Access('platform:tenants')
  @ApiAnswer(201, TenantView)
  async create(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @Body() body: CreateTenantBody,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    sendAnswer(reply, await this.createTenant.execute(ctx, body, claim));
  }

  @Get()
  @Access('platform:tenants')
  @ApiPage(TenantView)
  list(@Ctx() ctx: OpContext, @Query() query: PageQuery): Promise<Page<TenantView>> {
    return this.queries.list(ctx, query);
  }

  @Get(':tenantId')
  @Access('platform:tenants')
  @ApiAnswer(200, TenantView)
  async get(
    @Ctx() ctx: OpContext,
    @PathId('tenantId') tenantId: string,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const tenant = await this.queries.get(ctx, tenantId);
    sendAnswer(reply, answer(200, tenant, { etag: tenant.version }));
  }

  @Patch(':tenantId')
  @Access('platform:tenants')
  @ApiAnswer(200, TenantView)
  async change(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @PathId('tenantId') tenantId: string,
    @IfMatch() ifVersion: number,
    @Body() body: ChangeTenantBody,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    sendAnswer(reply, await this.changeTenant.execute(ctx, { ...body, tenantId, ifVersion }, claim));
  }
}
