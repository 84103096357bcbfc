import { type BackgroundWork, type UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { type EventLog, LogUnavailableError } from '../../../platform/event-log/event-log.js';
import { metrics } from '../../../platform/observability/metrics.js';
import { type LoopLog, WorkerLoop } from '../../../platform/worker/loop.js';
import type { ReliabilityFigures } from '../domain/reliability.js';
import { measure, readFigures, takeMeasuringTurn, writeFigures } from './figures-store.js';

const EVERY_MS = 5_000;

/** Whose offsets count: KAFKA_CONSUMER_GROUP, RESERVATION_TOPIC. */
export interface MonitorOptions {
  readonly group: string;
  readonly topic: string;
}

/**
 * Measures the reliable path every five seconds and writes the figures down, where the probe of any process reads them, an API's
 * too, which sees no other tenant's rows. One worker at a time measures; every worker shows the figures as metrics.
 * Metrics: outbox_queue_depth, outbox_oldest_event_age_seconds, outbox_blocked_keys, lifecycle_stalled, lifecycle_stalled_exhausted.
 */
export class ReliabilityMonitor {
  readonly loop: WorkerLoop;

  constructor(
    private readonly doors: {
      readonly uow: UnitOfWork;
      readonly work: BackgroundWork;
      readonly log: EventLog;
    },
    private readonly options: MonitorOptions,
    sink: LoopLog,
  ) {
    this.loop = new WorkerLoop(
      { name: 'health.reliability', intervalMs: EVERY_MS },
      () => this.measure(),
      sink,
    );
  }

  private async measure(): Promise<boolean> {
    const { uow, work } = this.doors;
    const ends = await this.ends();
    await work.run('health.measure', async (tx) => {
      // A little less than the interval, or a clock's jitter would skip every other turn.
      if (!(await takeMeasuringTurn(tx, EVERY_MS * 0.8))) return;
      await writeFigures(tx, await measure(tx, this.options, ends));
    });
    const measured = await readFigures(uow);
    if (measured) show(measured.figures);
    return false;
  }

  private async ends(): Promise<readonly bigint[] | null> {
    try {
      return (await this.doors.log.ranges(this.options.topic)).map(({ end }) => end);
    } catch (error) {
      if (error instanceof LogUnavailableError) return null;
      throw error;
    }
  }
}

function show({
  backlog,
  backlogAgeSeconds,
  blockedKeys,
  stalled,
  stalledExhausted,
}: ReliabilityFigures): void {
  metrics.outboxDepth.set(backlog);
  metrics.outboxOldestSeconds.set(backlogAgeSeconds);
  for (const [status, n] of Object.entries(blockedKeys)) metrics.blockedKeys.set({ status }, n);
  for (const [state, n] of Object.entries(stalled)) metrics.stalled.set({ state }, n);
  metrics.stalledExhausted.set(stalledExhausted);
}
