import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import type { AppConfig } from '../../../platform/config/config.js';
import { APP_CONFIG } from '../../../platform/config/config.token.js';
import { makeContext } from '../../../platform/context/op-context.js';
import { BackgroundWork } from '../../../platform/database/unit-of-work.js';
import { DomainError } from '../../../platform/kernel/errors.js';
import { tenantId, type TenantId } from '../../../platform/kernel/ids.js';
import { metrics } from '../../../platform/observability/metrics.js';
import { LoopRegistry } from '../../../platform/worker/loop-registry.js';
import { WorkerLoop } from '../../../platform/worker/loop.js';
import type { Job } from '../commands/execute-list.js';
import { ReservationDesk } from '../contract/reservation-desk.js';
import { DUE_HOLDS } from '../persistence/due-holds.js';

/** Holds that one run looks at. */
const BATCH = 200;

/**
 * Gives the nights of expired holds back: every `HOLD_SWEEP_INTERVAL_MS`, at most 200 holds a run, in one list a tenant.
 * Several workers may sweep at once: the row lock decides, the late one is refused and changes nothing.
 * Metric: tartware_holds_expired_total.
 */
@Injectable()
export class HoldExpirySweep implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(HoldExpirySweep.name);
  readonly loop: WorkerLoop;

  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    @Inject(BackgroundWork) private readonly background: BackgroundWork,
    @Inject(ReservationDesk) private readonly desk: ReservationDesk,
    @Inject(SchedulerRegistry) private readonly scheduler: SchedulerRegistry,
    @Inject(LoopRegistry) loops: LoopRegistry,
  ) {
    this.loop = loops.add(
      new WorkerLoop({ name: 'reservations.hold-expiry', intervalMs: null }, () => this.sweep(), this.logger),
    );
  }

  onApplicationBootstrap(): void {
    this.loop.start();
    const timer = setInterval(() => this.loop.wake(), this.config.holdSweepIntervalMs);
    this.scheduler.addInterval('reservations.hold-expiry', timer);
  }

  async onModuleDestroy(): Promise<void> {
    if (this.scheduler.doesExist('interval', 'reservations.hold-expiry'))
      this.scheduler.deleteInterval('reservations.hold-expiry');
    await this.loop.stop();
  }

  private async sweep(): Promise<boolean> {
    const due = await this.background.run('reservations.due_holds', (tx) =>
      tx.query<{ tenantId: string; reservationId: string }>(DUE_HOLDS, [BATCH]),
    );
    const byTenant = Map.groupBy(due, (row) => tenantId(row.tenantId));
    for (const [tenant, rows] of byTenant)
      await this.expire(
        tenant,
        rows.map((row) => row.reservationId),
      );
    return due.length === BATCH;
  }

  private async expire(tenant: TenantId, ids: readonly string[]): Promise<void> {
    const jobs = ids.map((reservationId): Job => ({
      ctx: makeContext({
        tenantId: tenant,
        subject: 'system:hold-expiry',
        permissions: [],
        source: 'system',
      }),
      claim: null,
      command: { kind: 'expire', reservationId, ifVersion: null },
    }));
    const outcomes = await this.desk.submitList(tenant, jobs);
    // A refusal is a hold that someone else moved on in the meantime: nothing is left to do for it.
    metrics.holdsExpired.inc(outcomes.filter((outcome) => !(outcome instanceof DomainError)).length);
  }
}
