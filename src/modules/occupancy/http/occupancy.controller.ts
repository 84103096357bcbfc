import { Controller, Get, Inject, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { OpContext } from '../../../platform/context/op-context.js';
import { Access } from '../../../platform/http/access.js';
import { sendAnswer } from '../../../platform/http/answer.js';
import { KeptAnswers } from '../../../platform/http/kept-answers.js';
import { ApiAnswer } from '../../../platform/http/openapi.js';
import { Ctx, PathId } from '../../../platform/http/request.js';
import type { Versioned } from '../../../platform/kernel/versioned.js';
import { OccupancyQueries, type OccupancyReport } from '../queries/occupancy-queries.js';
import { OccupancyQuery, OccupancyReportDto } from './occupancy.dto.js';

@ApiTags('Occupancy')
@Controller('v1')
export class OccupancyController {
  private readonly kept = new KeptAnswers();

  constructor(@Inject(OccupancyQueries) private readonly queries: OccupancyQueries) {}

  @Get('properties/:propertyId/occupancy')
  @Access('occupancy:read')
  @ApiOperation({ summary: 'Rooms and revenue, booked and stayed, by night; as far as events are applied' })
  @ApiAnswer(200, OccupancyReportDto)
  async report(
    @Ctx() ctx: OpContext,
    @PathId('propertyId') propertyId: string,
    @Query() { from, to }: OccupancyQuery,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const read = (known: string | null): Promise<Versioned<OccupancyReport>> =>
      this.queries.report(ctx, propertyId, from, to, known);
    sendAnswer(reply, await this.kept.answer([ctx.tenantId, propertyId, from, to], read));
  }
}
