import type { BackgroundWork } from '../../../platform/database/unit-of-work.js';
import { metrics } from '../../../platform/observability/metrics.js';
import { type LoopLog, WorkerLoop } from '../../../platform/worker/loop.js';
import { QueueStore } from '../persistence/queue-store.js';

/** Sets outbox_queue_depth and outbox_oldest_event_age_seconds, whenever it is woken (@nestjs/schedule does so). */
export class OutboxGauges {
  readonly loop: WorkerLoop;

  constructor(work: BackgroundWork, log: LoopLog) {
    const queue = new QueueStore(work);
    this.loop = new WorkerLoop(
      { name: 'outbox.gauges', intervalMs: null },
      async () => {
        const { depth, oldestSeconds } = await queue.depth();
        metrics.outboxDepth.set(depth);
        metrics.outboxOldestSeconds.set(oldestSeconds);
        return false;
      },
      log,
    );
  }
}
