import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { HealthChecks, HealthDoors } from './health-checks.js';
import { HealthController } from './health.controller.js';
import { MetricsController } from './metrics.controller.js';
import { SubscriptionHealth } from './contract/subscription-health.js';

// CommonJS that requires Nest's ES modules: imported once those are evaluated, since jest refuses it while they are linked.
const { PrometheusModule } = await import('@willsoto/nestjs-prometheus');

/** Probes and metrics, in every mode. Metrics are those of prom-client's own registry and of the process. */
@Module({
  imports: [
    TerminusModule.forRoot({ logger: false }),
    PrometheusModule.register({ controller: MetricsController, defaultMetrics: { enabled: true } }),
  ],
  controllers: [HealthController],
  providers: [HealthDoors, HealthChecks, SubscriptionHealth],
  exports: [SubscriptionHealth],
})
export class HealthModule {}
