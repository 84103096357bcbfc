import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { HealthChecks, HealthDoors } from './health-checks.js';
import { HealthController } from './health.controller.js';
import { MetricsController } from './metrics.controller.js';
import { SubscriptionHealth } from './contract/subscription-health.js';

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
