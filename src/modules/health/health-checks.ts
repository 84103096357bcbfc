import { Inject, Injectable, Optional } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import type { AppConfig } from '../../platform/config/config.js';
import { APP_CONFIG } from '../../platform/config/config.token.js';
import { sql } from '../../platform/database/sql.js';
import { BackgroundWork, UnitOfWork } from '../../platform/database/unit-of-work.js';
import { EventLog } from '../../platform/event-log/event-log.js';
import { PLATFORM_TENANT_ID } from '../../platform/kernel/ids.js';
import { LoopRegistry } from '../../platform/worker/loop-registry.js';
import { type MeasuredFigures, readFigures } from './reliability/figures-store.js';
import { SubscriptionHealth } from './contract/subscription-health.js';

const TIMEOUT_MS = 3_000;
const PING = sql('health.ping', `SELECT 1 AS one`);

/** What the doors to database and log are called here; absent where the process has none. */
@Injectable()
export class HealthDoors {
  constructor(
    @Inject(UnitOfWork) readonly uow: UnitOfWork,
    @Optional() @Inject(BackgroundWork) readonly background: BackgroundWork | undefined,
    @Optional() @Inject(EventLog) readonly log: EventLog | undefined,
  ) {}
}

/** The single checks; which of them decide is the controller's business. */
@Injectable()
export class HealthChecks {
  constructor(
    @Inject(HealthIndicatorService) private readonly indicators: HealthIndicatorService,
    @Inject(HealthDoors) private readonly doors: HealthDoors,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    @Inject(LoopRegistry) private readonly loops: LoopRegistry,
    @Inject(SubscriptionHealth) private readonly subscriptions: SubscriptionHealth,
  ) {}

  /** Whether the loops of this process move. Asks nobody outside it: a restart cures no outage elsewhere. */
  async moving(): Promise<HealthIndicatorResult> {
    const session = this.indicators.check('loops');
    const loops = this.loops.statuses();
    const stalled = loops.filter(({ alive }) => !alive).map(({ name }) => name);
    return stalled.length === 0 ? session.up({ loops }) : session.down({ stalled, loops });
  }

  async database(): Promise<HealthIndicatorResult> {
    const { background, uow } = this.doors;
    return this.indicators
      .check('database')
      .attempt(async () => {
        if (this.config.mode !== 'worker')
          await uow.run({ tenantId: PLATFORM_TENANT_ID }, 'health.ping', (tx) => tx.query(PING, []));
        if (this.config.mode !== 'api') await background?.run('health.ping', (tx) => tx.query(PING, []));
      })
      .withTimeout(TIMEOUT_MS);
  }

  /** The event log and what is read from it. `decisive`: without it the process isn't ready; else it is a detail. */
  async eventLog(decisive: boolean): Promise<HealthIndicatorResult> {
    const session = this.indicators.check('eventLog');
    const fault = await this.logFault();
    const subscriptions = this.subscriptions
      .statuses()
      ?.map(({ topic, group, status }) => ({ topic, group, ...status }));
    if (fault === null) return session.up({ subscriptions });
    return decisive
      ? session.down({ message: fault, subscriptions })
      : session.degraded({ message: fault, subscriptions });
  }

  /** The last figures of the reliable path; null: no worker has measured yet. */
  figures(): Promise<MeasuredFigures | null> {
    return readFigures(this.doors.uow);
  }

  private async logFault(): Promise<string | null> {
    try {
      await this.doors.log?.ping(TIMEOUT_MS);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    const statuses = this.subscriptions.statuses();
    if (statuses?.length === 0) return 'not subscribed yet';
    const broken = statuses?.find(({ status }) => !status.connected);
    return broken ? `not subscribed to ${broken.topic}: ${broken.status.lastError ?? 'joining'}` : null;
  }
}
