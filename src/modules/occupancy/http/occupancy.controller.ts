import { Controller, Get, Inject, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { OpContext } from '../../../platform/context/op-context.js';
import { Access } from '../../../platform/http/access.js';
import { ApiAnswer } from '../../../platform/http/openapi.js';
import { Ctx, PathId } from '../../../platform/http/request.js';
import { OccupancyQueries, type OccupancyReport } from '../queries/occupancy-queries.js';
import { OccupancyQuery, OccupancyReportDto } from './occupancy.dto.js';

@ApiTags('Occupancy')
@Controller('v1')
export class OccupancyController {
  constructor(@Inject(OccupancyQueries) private readonly queries: OccupancyQueries) {}

  @Get('properties/:propertyId/occupancy')
  @Access('occupancy:read')
  @ApiOperation({ summary: 'Rooms and revenue, booked and stayed, by night; as far as events are applied' })
  @ApiAnswer(200, OccupancyReportDto)
  async report(
    @Ctx() ctx: OpContext,
    @PathId('propertyId') propertyId: string,
    @Query() { from, to }: OccupancyQuery,
  ): Promise<{ data: OccupancyReport }> {
    return { data: await this.queries.report(ctx, propertyId, from, to) };
  }
}
