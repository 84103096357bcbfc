import { EventEmitter } from 'node:events';
import { Logger, makeWorkerUtils, run, type WorkerEvents } from 'graphile-worker';
import type { LogRecord } from '../../src/platform/event-log/event-log.js';
import { slotOf } from '../../src/modules/outbox/contract/events.js';
import { payloadOf, type QueuePeer } from './queue-peer.js';

const silent = new Logger(() => () => undefined);
/** Jobs of one call of `addJobs`. */
const CHUNK = 5_000;

/**
 * graphile-worker as its page on performance has it: a local queue of 500 and completions in batches, 24 jobs at once. In order, its
 * jobs carry a queue name. One a key it advises against (many names degrade it), so it is one a slot, 16 as ours; and without the
 * local queue, which gets one job of a name at most and then waits for the next poll, 2 s.
 */
export async function graphileWorker(url: string, inOrder: boolean): Promise<QueuePeer> {
  const schema = inOrder ? 'graphile_in_order' : 'graphile';
  const worker = {
    connectionString: url,
    schema,
    concurrentJobs: 24,
    maxPoolSize: 26,
    logger: silent,
    ...(!inOrder && { localQueue: { size: 500 }, completeJobBatchDelay: 0 }),
  };
  const utils = await makeWorkerUtils({ preset: { worker } });
  await utils.migrate();
  let filled = 0;
  return {
    name: inOrder ? 'graphile-worker, in order' : 'graphile-worker',
    ...(inOrder && { most: 500 }),
    async fill(records: readonly LogRecord[]): Promise<void> {
      const specs = records.map((record) => ({
        identifier: 'publish',
        payload: payloadOf(record),
        ...(inOrder && { queueName: `slot-${slotOf(record.key)}` }),
      }));
      for (let from = 0; from < specs.length; from += CHUNK)
        await utils.addJobs(specs.slice(from, from + CHUNK));
      filled = records.length;
    },
    async drain(): Promise<void> {
      const events: WorkerEvents = new EventEmitter();
      let completed = 0;
      const over = new Promise<void>((resolve) =>
        events.on('job:complete', () => {
          if (++completed === filled) resolve();
        }),
      );
      const runner = await run({
        preset: { worker },
        taskList: { publish: () => undefined },
        events,
        noHandleSignals: true,
      });
      await over;
      await runner.stop();
    },
    close: async () => utils.release(),
  };
}
