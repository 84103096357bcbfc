import { Controller, Get, Res } from '@nestjs/common';
import { ApiExcludeEndpoint } from '@nestjs/swagger';
import { PrometheusController } from '@willsoto/nestjs-prometheus';
import type { FastifyReply } from 'fastify';
import { Public } from '../../platform/http/access.js';

/** Prometheus' text format; the path comes from PrometheusModule. */
@Public()
@Controller()
export class MetricsController extends PrometheusController {
  @Get()
  @ApiExcludeEndpoint()
  override index(@Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    return super.index(reply);
  }
}
