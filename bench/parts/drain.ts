import { OutboxRelay } from '../../src/modules/outbox/relay/outbox-relay.js';
import { alone, timed, type Part } from '../measure.js';
import { fillOutbox } from './fill.js';

const quiet = { warn: () => undefined, error: (line: string) => process.stderr.write(`${line}\n`) };

/** Events a second from the outbox to the broker's acknowledgement, in order per key. */
export const drain: Part = async (bed, { quick, say }) => {
  const events = quick ? 50_000 : 200_000;
  const rounds = quick ? 2 : 5;
  const rates: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    await bed.clear();
    await fillOutbox(bed, { keys: events / 4, perKey: 4, tenants: 10 });
    const { log, topic } = await bed.log('kafka');
    const relay = new OutboxRelay(
      bed.work,
      log,
      { topic, leaseMs: 10_000, sweepIntervalMs: 1_000, batchSize: 500, retryScheduleMs: [1_000] },
      quiet,
    );
    await relay.runOnce();
    const { ms } = await timed(async () => {
      while (await relay.runOnce());
    });
    await relay.stop();
    const [left] = await bed.sql<{ n: number }>(`SELECT count(*)::int AS n FROM outbox_queue`);
    if (left!.n > 0) throw new Error(`${left!.n} events were left in the outbox`);
    const rate = events / (ms / 1000);
    say(`${round === 0 ? 'warm-up' : `round ${round}`}: ${Math.round(rate)} events/s`);
    if (round > 0) rates.push(rate);
  }
  const sorted = rates.toSorted((a, b) => a - b);
  return {
    'to Kafka, median': alone(sorted[Math.floor(sorted.length / 2)]!, 'events/s'),
    'to Kafka, lowest': alone(sorted[0]!, 'events/s'),
  };
};
