import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { BackgroundWork } from '../../platform/database/unit-of-work.js';
import { EventLog } from '../../platform/event-log/event-log.js';
import { PostgresEventLog } from '../../platform/event-log/postgres/postgres-event-log.js';
import { LoopRegistry } from '../../platform/worker/loop-registry.js';
import { WorkerLoop } from '../../platform/worker/loop.js';
import { ENSURE_PARTITIONS, PRUNE_KEYS } from './maintenance-statements.js';

/** Months that partitions are made ahead. */
const MONTHS_AHEAD = 2;
/** Days that the answer of an idempotency key is kept. */
const KEY_DAYS = 7;
const KEY_BATCH = 1_000;

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

  constructor(
    @Inject(BackgroundWork) private readonly work: BackgroundWork,
    @Inject(EventLog) private readonly log: EventLog,
    @Inject(LoopRegistry) private readonly loops: LoopRegistry,
  ) {
    this.partitions = this.task('maintenance.partitions', () => this.ensurePartitions());
    this.idempotencyKeys = this.task('maintenance.idempotency-keys', () => this.pruneKeys());
    this.eventLog = this.task('maintenance.event-log', () => this.pruneLog());
  }

  /** Everything is done once at the start: a worker that is never up at three in the morning does it too. */
  onApplicationBootstrap(): void {
    for (const loop of this.all()) loop.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all(this.all().map((loop) => loop.stop()));
  }

  @Cron('0 0 3 * * *', { name: 'maintenance.daily', timeZone: 'UTC' })
  daily(): void {
    this.partitions.wake();
  }

  @Cron('0 7 * * * *', { name: 'maintenance.hourly', timeZone: 'UTC' })
  hourly(): void {
    this.idempotencyKeys.wake();
    this.eventLog.wake();
  }

  private all(): readonly WorkerLoop[] {
    return [this.partitions, this.idempotencyKeys, this.eventLog];
  }

  private task(name: string, work: () => Promise<boolean>): WorkerLoop {
    return this.loops.add(new WorkerLoop({ name, intervalMs: null }, work, this.logger));
  }

  private async ensurePartitions(): Promise<boolean> {
    await this.work.run('maintenance.ensure_partitions', (tx) => tx.query(ENSURE_PARTITIONS, [MONTHS_AHEAD]));
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
