import type { OpContext } from '../../../platform/context/op-context.js';
import { sqlState } from '../../../platform/database/sqlstate.js';
import type { BackgroundTx, BackgroundWork } from '../../../platform/database/unit-of-work.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import { isoDate } from '../../../platform/kernel/dates.js';
import { PLATFORM_TENANT_ID } from '../../../platform/kernel/ids.js';
import { metrics } from '../../../platform/observability/metrics.js';
import { recordActs } from '../../outbox/contract/record-acts.js';
import { detachOn, dropOn, monthsBetween } from '../domain/schedule.js';
import {
  detach,
  drop,
  PartitionStore,
  type Hold,
  type PartitionRow,
} from '../persistence/partition-store.js';

/** Months that partitions are made ahead. */
const MONTHS_AHEAD = 2;
/** Events that are checked in one statement: well below a second. */
const CHECK_BATCH = 100_000;

export interface Retention {
  /** Whole months after its own that a month is kept, by table; a table that is not named is kept for ever. */
  readonly retentionMonths: Readonly<Record<string, number>>;
  /** Days that a detached month is kept. */
  readonly detachedPartitionDays: number;
}

/** One change of one month. */
export interface Step {
  readonly action: 'make' | 'detach' | 'drop';
  readonly table: string;
  readonly month: IsoDate;
  /** Of the default partition's rows, those that go into the month that is made. */
  readonly rows: number;
}

/** `held`: somebody needs the month. `busy`: a lock was not to be had; next time. */
export interface StepOutcome extends Step {
  readonly outcome: 'done' | 'held' | 'busy';
  readonly why: string | null;
}

/** A partition with its place in the schedule. */
export interface ScheduledPartition extends PartitionRow {
  /** Null: never, or it is the default partition. */
  readonly detachOn: IsoDate | null;
  readonly dropOn: IsoDate | null;
  readonly due: boolean;
  /** Asked for only when it is due. */
  readonly heldBy: readonly Hold[];
}

type Doer = Pick<OpContext, 'actor' | 'source' | 'ip' | 'correlationId'>;

/**
 * Makes months ahead, moves what lies in the default partitions, takes months out after their time and drops them. Each
 * step is a transaction of its own, bounded by half a second of waiting for a lock; several workers may do it at once.
 * Metrics: tartware_partition_steps_total, tartware_partition_default_rows, tartware_partition_held_months.
 */
export class PartitionRotation {
  private readonly store: PartitionStore;

  constructor(
    private readonly work: BackgroundWork,
    private readonly retention: Retention,
  ) {
    this.store = new PartitionStore(work);
  }

  /** @param withTimes reads every row for the oldest and the newest */
  async status(withTimes: boolean): Promise<ScheduledPartition[]> {
    const today = await this.store.today();
    const rows = await this.store.status(withTimes);
    const scheduled: ScheduledPartition[] = [];
    for (const row of rows) {
      const planned = this.schedule(row, today);
      const heldBy = planned.due ? await this.store.holds(row.table, row.month!) : [];
      scheduled.push({ ...planned, heldBy });
    }
    return scheduled;
  }

  /** What a rotation would try now, in its order: what is made comes before what goes. */
  async plan(): Promise<Step[]> {
    const missing = await this.store.missing(MONTHS_AHEAD);
    const today = await this.store.today();
    const rows = await this.store.status(false);
    return [
      ...missing.map(({ table, month, inDefault }): Step => ({
        action: 'make',
        table,
        month,
        rows: inDefault,
      })),
      ...rows
        .filter((row) => this.schedule(row, today).due)
        .map(({ table, month, attached, rows: count }): Step => ({
          action: attached ? 'detach' : 'drop',
          table,
          month: month!,
          rows: count,
        })),
    ];
  }

  /**
   * Does the steps of a plan, whatever becomes of the others.
   * @param reason why, for the audit rows of months that go
   */
  async run(
    plan: readonly Step[],
    by: Doer,
    reason: string,
    moved: (done: StepOutcome) => void = () => undefined,
  ): Promise<StepOutcome[]> {
    const outcomes: StepOutcome[] = [];
    for (const step of plan) {
      const outcome = await this.tried(step, by, reason);
      outcomes.push(outcome);
      moved(outcome);
      if (outcome.outcome === 'done') metrics.partitionSteps.inc({ action: step.action });
    }
    return outcomes;
  }

  /** Sets the gauges. */
  async observe(): Promise<void> {
    const today = await this.store.today();
    const all = await this.status(false);
    for (const table of new Set(all.map((row) => row.table))) {
      const own = all.filter((row) => row.table === table);
      const fallback = own.find((row) => row.month === null);
      metrics.partitionDefaultRows.set({ table }, fallback?.rows ?? 0);
      const late = own.filter((row) => row.due).map((row) => monthsBetween(row.detachOn!, today) + 1);
      metrics.partitionHeldMonths.set({ table }, Math.max(0, ...late));
    }
  }

  private schedule(row: PartitionRow, today: IsoDate): Omit<ScheduledPartition, 'heldBy'> {
    const keep = this.retention.retentionMonths[row.table];
    if (row.month === null || (keep === undefined && row.attached))
      return { ...row, detachOn: null, dropOn: null, due: false };
    const leaves = row.detachedAt
      ? isoDate(row.detachedAt.toISOString().slice(0, 10))
      : detachOn(row.month, keep!);
    const goes = dropOn(leaves, this.retention.detachedPartitionDays);
    return { ...row, detachOn: leaves, dropOn: goes, due: (row.attached ? leaves : goes) <= today };
  }

  private async tried(step: Step, by: Doer, reason: string): Promise<StepOutcome> {
    try {
      const rows = await this.take(step, by, reason);
      return { ...step, rows, outcome: 'done', why: null };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (sqlState(error) === '55000') return { ...step, outcome: 'held', why };
      // No lock within half a second; more rows to move than a statement has time for; rows that came in meanwhile.
      if (['55P03', '57014', '23514', '42P07'].includes(sqlState(error) ?? ''))
        return { ...step, outcome: 'busy', why };
      throw error;
    }
  }

  private async take(step: Step, by: Doer, reason: string): Promise<number> {
    const { action, table, month, rows } = step;
    if (action === 'make') return this.store.make(table, month);
    const partition = nameOf(table, month);
    if (action === 'drop') {
      await this.recorded(step, by, reason, (tx) =>
        drop(tx, partition, this.retention.detachedPartitionDays),
      );
      return rows;
    }
    // Batch by batch, each kept: a check that is cut short goes on where it was.
    while ((await this.store.check(table, month, CHECK_BATCH)) === 'more');
    await this.recorded(step, by, reason, (tx) =>
      detach(tx, table, month, this.retention.retentionMonths[table]!),
    );
    return rows;
  }

  private recorded(
    { action, table, month }: Step,
    by: Doer,
    reason: string,
    work: (tx: BackgroundTx) => Promise<unknown>,
  ): Promise<void> {
    return this.work.run(`maintenance.${action}_partition`, async (tx) => {
      await work(tx);
      await recordActs(tx, by, [
        {
          tenantId: PLATFORM_TENANT_ID,
          action: `partition.${action === 'drop' ? 'dropped' : 'detached'}`,
          resourceType: 'partition',
          resourceId: PLATFORM_TENANT_ID,
          changes: { partition: nameOf(table, month), reason },
        },
      ]);
    });
  }
}

/** As the database names a month's partition. */
export const nameOf = (table: string, month: IsoDate): string =>
  `${table}_${month.slice(0, 7).replace('-', '_')}`;
