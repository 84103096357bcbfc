import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import type { AppConfig } from '../../platform/config/config.js';
import { APP_CONFIG } from '../../platform/config/config.token.js';
import { makeContext } from '../../platform/context/op-context.js';
import { BackgroundWork } from '../../platform/database/unit-of-work.js';
import { EventLog } from '../../platform/event-log/event-log.js';
import { PostgresEventLog } from '../../platform/event-log/postgres/postgres-event-log.js';
import { PLATFORM_TENANT_ID } from '../../platform/kernel/ids.js';
import { LoopRegistry } from '../../platform/worker/loop-registry.js';
import { WorkerLoop } from '../../platform/worker/loop.js';
import { PRUNE_KEYS } from './maintenance-statements.js';
import { PartitionRotation } from './rotation/partition-rotation.js';

/** Days that the answer of an idempotency key is kept. */
const KEY_DAYS = 7;
const KEY_BATCH = 1_000;
/** Rows that the loop moves out of a default partition while the table waits; more are an operator's, in a quiet hour. */
const MOVE_AT_MOST = 50_000;

/**
 * The house-keeping of a worker; each task is a loop that @nestjs/schedule wakes. Several workers may do it at once: the
 * database serializes the partitions, and the deletions don't mind.
 */
@Injectable()
export class Maintenance implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(Maintenance.name);
  readonly partitions: WorkerLoop;
  readonly idempotencyKeys: WorkerLoop;
  readonly eventLog: WorkerLoop;
  private readonly rotation: PartitionRotation;

  constructor(
    @Inject(BackgroundWork) private readonly work: BackgroundWork,
    @Inject(EventLog) private readonly log: EventLog,
    @Inject(LoopRegistry) private readonly loops: LoopRegistry,
    @Inject(APP_CONFIG) config: AppConfig,
  ) {
    this.rotation = new PartitionRotation(work, config);
    // Each try makes others queue for half a second at worst: after a failure it is in no hurry.
    this.partitions = this.task('maintenance.partitions', () => this.rotatePartitions(), 3_600_000);
    this.idempotencyKeys = this.task('maintenance.idempotency-keys', () => this.pruneKeys());
    this.eventLog = this.task('maintenance.event-log', () => this.pruneLog());
  }

  /** Everything is done once at the start: a worker that never lives for an hour does it too. */
  onApplicationBootstrap(): void {
    for (const loop of this.all()) loop.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all(this.all().map((loop) => loop.stop()));
  }

  @Cron('0 7 * * * *', { name: 'maintenance.hourly', timeZone: 'UTC' })
  hourly(): void {
    this.partitions.wake();
    this.idempotencyKeys.wake();
    this.eventLog.wake();
  }

  private all(): readonly WorkerLoop[] {
    return [this.partitions, this.idempotencyKeys, this.eventLog];
  }

  private task(name: string, work: () => Promise<boolean>, maxBackoffMs?: number): WorkerLoop {
    const options = { name, intervalMs: null, ...(maxBackoffMs === undefined ? {} : { maxBackoffMs }) };
    return this.loops.add(new WorkerLoop(options, work, this.logger));
  }

  /** What is held stays until the next day; what was only busy is tried again after a back-off. */
  private async rotatePartitions(): Promise<boolean> {
    const by = makeContext({
      tenantId: PLATFORM_TENANT_ID,
      subject: 'system:partitions',
      permissions: [],
      source: 'system',
    });
    const moved = (): void => this.partitions.moved();
    const plan = await this.rotation.plan();
    const large = plan.filter(({ action, rows }) => action === 'make' && rows > MOVE_AT_MOST);
    for (const { table, month, rows } of large)
      this.logger.warn(
        `${rows} rows of ${table} ${month} lie in its default partition: see partitions rotate`,
      );
    const small = plan.filter((step) => !large.includes(step));
    const outcomes = await this.rotation.run(small, by, 'retention', moved);
    await this.rotation.observe();
    for (const { outcome, why } of outcomes) if (outcome === 'held') this.logger.warn(why);
    const busy = outcomes.filter(({ outcome }) => outcome === 'busy');
    if (busy.length > 0) throw new Error(`${busy.length} partitions wait: ${busy[0]!.why}`);
    return false;
  }

  private async pruneKeys(): Promise<boolean> {
    const gone = await this.work.run('maintenance.prune_idempotency_keys', (tx) =>
      tx.query(PRUNE_KEYS, [KEY_DAYS, KEY_BATCH]),
    );
    return gone.length === KEY_BATCH;
  }

  /** Kafka does this by itself. */
  private async pruneLog(): Promise<boolean> {
    if (this.log instanceof PostgresEventLog) await this.log.prune();
    return false;
  }
}
