import { Controller, Get, Res } from '@nestjs/common';
import { ApiExcludeEndpoint } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Public } from '../../platform/http/access.js';

// As in health.module.ts.
const { PrometheusController } = await import('@willsoto/nestjs-prometheus');

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
