import { appendChanges, onEventsCommitted } from '../../src/modules/outbox/contract/append-changes.js';
import { OutboxRelay } from '../../src/modules/outbox/relay/outbox-relay.js';
import { makeContext } from '../../src/platform/context/op-context.js';
import { newId, type TenantId } from '../../src/platform/kernel/ids.js';
import { quiet } from '../consumer.js';
import { alone, Samples, type Part } from '../measure.js';
import { fillOutbox } from './fill.js';

const EVERY_MS = 20;

/** How long the events of one tenant take from commit into Kafka while another one's flood is being drained. */
export const flood: Part = async (bed, { quick, say }) => {
  await bed.clear();
  await fillOutbox(bed, { keys: quick ? 100_000 : 300_000 });
  const { log, topic } = await bed.log('kafka');
  const relay = new OutboxRelay(
    bed.work,
    log,
    { topic, leaseMs: 10_000, sweepIntervalMs: 1_000, batchSize: 500, retryScheduleMs: [1_000] },
    quiet,
  );
  const tenantId = newId() as TenantId;
  const ctx = makeContext({ tenantId, subject: 'bench', permissions: ['*'], source: 'system' });
  const committed = new Map<string, number>();
  relay.start();
  const deaf = onEventsCommitted(() => relay.wake());
  const flooded = async (): Promise<boolean> => {
    const rows = await bed.sql(`SELECT FROM outbox_queue WHERE tenant_id <> '${tenantId}' LIMIT 1`);
    return rows.length > 0;
  };
  for (let n = 0; n % 25 !== 0 || (await flooded()); n++) {
    const aggregateId = newId();
    await bed.uow.run(ctx, 'bench.book', (tx) =>
      appendChanges(tx, ctx, [
        { aggregateType: 'guest', aggregateId, version: 1, type: 'guest.created', data: {}, changes: {} },
      ]),
    );
    committed.set(aggregateId, Date.now());
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
  while ((await bed.sql(`SELECT FROM outbox_queue LIMIT 1`)).length > 0) await relay.laneLoops[0]!.nextRun();
  deaf();
  await relay.stop();
  const samples = new Samples();
  for (const { id, at } of await bed.sql<{ id: string; at: number }>(
    `SELECT aggregate_id AS id, extract(epoch FROM published_at)::float8 * 1000 AS at FROM event_receipts WHERE tenant_id = '${tenantId}'`,
  ))
    samples.add(Math.max(0, at - committed.get(id)!));
  say(
    `p50 ${samples.p50.toFixed(0)} ms, p99 ${samples.p99.toFixed(0)} ms, longest ${samples.percentile(1).toFixed(0)} ms of ${samples.count}`,
  );
  return {
    'delay beside a flood p50': alone(samples.p50, 'ms'),
    'delay beside a flood, longest': alone(samples.percentile(1), 'ms'),
  };
};
