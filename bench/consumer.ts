import { Projectors } from '../src/modules/consumer/contract/projector.js';
import { EventProcessor } from '../src/modules/consumer/processing/event-processor.js';
import { OccupancyProjector } from '../src/modules/occupancy/consumers/occupancy-projector.js';
import type {
  BatchHandler,
  EventLog,
  RecordBatch,
  Subscription,
} from '../src/platform/event-log/event-log.js';
import { newId } from '../src/platform/kernel/ids.js';
import type { Bed } from './bed.js';

export const quiet = { warn: () => undefined, error: (line: string) => process.stderr.write(`${line}\n`) };

/**
 * Our consumer with its projections, begun; in a group of its own, so that it reads from the beginning.
 * @param committed told of each batch once the effect of its records before `next` is committed
 */
export function consume(
  bed: Bed,
  log: EventLog,
  topic: string,
  committed: (batch: RecordBatch, next: bigint) => void,
): Promise<Subscription> {
  const projectors = new Projectors();
  new OccupancyProjector(projectors);
  const limits = { topic, group: newId(), maxBatchRecords: 500, maxBatchBytes: 4_194_304 };
  const { group, maxBatchRecords } = limits;
  const options = { group, maxBatchRecords, owner: 'bench', maxRetries: 3, retryBackoffMs: 50 };
  const events = new EventProcessor(bed.work, projectors, options, quiet);
  const watched: BatchHandler = {
    assigned: (name, partition) => events.assigned(name, partition),
    revoked: (name, partition) => events.revoked(name, partition),
    async batch(batch) {
      const next = await events.batch(batch);
      committed(batch, next);
      return next;
    },
  };
  return log.subscribe(limits, watched);
}
