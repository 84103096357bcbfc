import { PgBoss } from 'pg-boss';
import type { LogRecord } from '../../src/platform/event-log/event-log.js';
import { payloadOf, type QueuePeer } from './queue-peer.js';

const CHUNK = 5_000;
/** Jobs of one fetch: as many as a lane of ours claims. */
const BATCH = 1_000;

/** pg-boss: two workers that fetch and complete in batches. In order: its policy `key_strict_fifo`, by the aggregate. */
export async function pgBoss(url: string, inOrder: boolean): Promise<QueuePeer> {
  const boss = new PgBoss({
    connectionString: url,
    schema: inOrder ? 'pgboss_in_order' : 'pgboss',
    supervise: false,
    schedule: false,
  });
  boss.on('error', (error) => void process.stderr.write(`pg-boss: ${error.message}\n`));
  await boss.start();
  const queue = 'publish';
  await boss.createQueue(queue, { partition: true, ...(inOrder && { policy: 'key_strict_fifo' }) });
  const work = async (): Promise<void> => {
    for (;;) {
      const jobs = await boss.fetch(queue, { batchSize: BATCH });
      if (jobs.length === 0) return;
      await boss.complete(
        queue,
        jobs.map(({ id }) => id),
      );
    }
  };
  return {
    name: inOrder ? 'pg-boss, in order' : 'pg-boss',
    async fill(records: readonly LogRecord[]): Promise<void> {
      await boss.deleteAllJobs(queue);
      const jobs = records.map((record) => ({
        data: payloadOf(record),
        ...(inOrder && { singletonKey: record.key }),
      }));
      for (let from = 0; from < jobs.length; from += CHUNK)
        await boss.insert(queue, jobs.slice(from, from + CHUNK));
    },
    drain: async () => void (await Promise.all([work(), work()])),
    close: () => boss.stop({ graceful: false }),
  };
}
