import { Body, Controller, Get, Patch, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { OpContext } from '../../../platform/context/op-context.js';
import type { Claim } from '../../../platform/database/idempotency.js';
import { Access } from '../../../platform/http/access.js';
import { answer, sendAnswer } from '../../../platform/http/answer.js';
import { ApiAnswer } from '../../../platform/http/openapi.js';
import { Ctx, IdempotencyKey, IfMatch } from '../../../platform/http/request.js';
import { ChangeTenant } from '../commands/change-tenant/change-tenant.js';
import { TenantQueries } from '../queries/tenant-queries.js';
import { TenantView } from '../queries/tenant-view.js';
import { ChangeOwnTenantBody } from './tenant.dto.js';

/** The caller's own tenant. */
@ApiTags('tenant')
@Controller('v1/tenant')
export class OwnTenantController {
  constructor(
    private readonly changeTenant: ChangeTenant,
    private readonly queries: TenantQueries,
  ) {}

  @Get()
  @Access('tenant:read')
  @ApiAnswer(200, TenantView)
  async get(@Ctx() ctx: OpContext, @Res() reply: FastifyReply): Promise<void> {
    const tenant = await this.queries.own(ctx);
    sendAnswer(reply, answer(200, tenant, { etag: tenant.version }));
  }

  @Patch()
  @Access('tenant:write')
  @ApiAnswer(200, TenantView)
  async change(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @IfMatch() ifVersion: number,
    @Body() body: ChangeOwnTenantBody,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const { tenantId } = ctx;
    sendAnswer(reply, await this.changeTenant.execute(ctx, { ...body, tenantId, ifVersion }, claim));
  }
}
