import { Controller, Get, HttpException, Inject, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { HealthCheckService, type HealthCheckResult, type HealthIndicatorFunction } from '@nestjs/terminus';
import type { FastifyReply } from 'fastify';
import type { AppConfig } from '../../platform/config/config.js';
import { APP_CONFIG } from '../../platform/config/config.token.js';
import { Public } from '../../platform/http/access.js';
import { judge, valuesOf, worst } from './domain/reliability.js';
import { HealthChecks } from './health-checks.js';

@ApiTags('Health')
@Public()
@Controller('health')
export class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(HealthChecks) private readonly checks: HealthChecks,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  @Get('liveness')
  @ApiOperation({ summary: 'Whether the loops of this process move' })
  liveness(@Res() reply: FastifyReply): Promise<void> {
    return this.answer(reply, [() => this.checks.moving()]);
  }

  @Get('readiness')
  @ApiOperation({
    summary: 'API: the database. Worker: the database and the event log. Both in one: the database decides',
  })
  readiness(@Res() reply: FastifyReply): Promise<void> {
    const { mode } = this.config;
    const checks: HealthIndicatorFunction[] = [() => this.checks.database()];
    // With the broker down bookings are still taken, and wait in the outbox: only a pure worker has nothing to do then.
    if (mode !== 'api') checks.push(() => this.checks.eventLog(mode === 'worker'));
    return this.answer(reply, checks);
  }

  @Get('reliability')
  @ApiOperation({
    summary:
      'Whether what was accepted gets applied: figures with their thresholds. For operators, not for load balancers',
  })
  async reliability(@Res() reply: FastifyReply): Promise<void> {
    const { mode, commitSha, reliability } = this.config;
    const measured = await this.checks.figures();
    const values = measured ? valuesOf(measured.figures, measured.ageSeconds) : {};
    const figures = judge(values, reliability);
    // Never measured: no worker has run on this database.
    const status = measured ? worst(Object.values(figures).map(({ level }) => level)) : 'critical';
    await reply
      .code(status === 'critical' ? 503 : 200)
      .header('cache-control', 'no-store')
      .send({ status, mode, commit: commitSha, figures, details: measured?.figures ?? null });
  }

  /** Every check's state, ready or not: in Terminus' own form, since probes read it and not the API's callers. */
  private async answer(reply: FastifyReply, checks: HealthIndicatorFunction[]): Promise<void> {
    const { mode, commitSha } = this.config;
    const result = await this.health.check(checks).catch((error: unknown) => {
      if (error instanceof HttpException) return error.getResponse() as HealthCheckResult;
      throw error;
    });
    const ready = result.status === 'ok' || result.status === 'degraded';
    await reply
      .code(ready ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({ status: result.status, mode, commit: commitSha, details: result.details });
  }
}
