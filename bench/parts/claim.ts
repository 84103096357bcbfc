import { LeaseStore } from '../../src/modules/outbox/persistence/lease-store.js';
import { QueueStore } from '../../src/modules/outbox/persistence/queue-store.js';
import { LowWater } from '../../src/modules/outbox/relay/low-water.js';
import { Reading } from '../../src/modules/outbox/relay/reading.js';
import type { BackgroundWork } from '../../src/platform/database/unit-of-work.js';
import { alone, beside, computing, Samples, timed, type Measure, type Part } from '../measure.js';
import { fillOutbox } from './fill.js';

const CLAIMS = 300;
/** Slots of a claim, two after two, and events of each: a hundred in all. */
const PAIRS = Array.from({ length: 8 }, (_, pair) => [2 * pair, 2 * pair + 1]);
const EACH = 50;
/** While vacuum is held back so much goes, in larger batches, before the claims are measured. */
const GOES = 0.35;
const GOES_EACH = 250;

/** Claims of a hundred events, each acknowledged before the next, as the relay goes on. */
export async function claims(work: BackgroundWork, rounds: number, each = EACH): Promise<Samples> {
  const samples = new Samples();
  const queue = new QueueStore(work);
  const reading = new Reading();
  const { held } = await new LeaseStore(work).renew('bench', 3_600_000, () => 16);
  const lowWater = new LowWater(queue, 'bench');
  let left = 0;
  for (let n = 0; n < rounds; n++) {
    const { result, ms } = await timed(() => queue.claim(reading.ranges(PAIRS[n % PAIRS.length]!, each)));
    samples.add(ms);
    reading.advance(result);
    await queue.acknowledge(
      'bench',
      held,
      result.events.map((event) => ({ event, partition: 0, offset: BigInt(n) })),
      [],
    );
    // As its loop does in a relay.
    left += result.events.length;
    if (left < LowWater.EVERY_ROWS) continue;
    left = 0;
    await lowWater.step(held);
  }
  return samples;
}

/** Claiming 100 events: of 100k and of 1M, of one tenant and of fifty, and with vacuum held back by an open transaction. */
export const claim: Part = async (bed, { quick, huge, say }) => {
  const measures: Record<string, Measure> = {};
  const note = (name: string, samples: Samples): void => {
    measures[`${name} p50`] = alone(samples.p50, 'ms');
    const machine = computing(samples.p50, CLAIMS).p99;
    measures[`${name} p99`] = beside(samples.p99, 'as much computing', machine, 'ms');
    say(
      `${name}: p50 ${samples.p50.toFixed(2)} ms, p99 ${samples.p99.toFixed(2)} ms; as much computing: p99 ${machine.toFixed(2)} ms`,
    );
  };
  for (const [size, tenants] of [
    [100_000, 1],
    [100_000, 50],
    ...(quick ? [] : [[1_000_000, 1] as const, [1_000_000, 50] as const]),
    ...(huge ? [[10_000_000, 1] as const] : []),
  ] as const) {
    const name = `${size / 1000}k pending, ${tenants === 1 ? 'one tenant' : `${tenants} tenants`}`;
    say(`filling ${name}`);
    await bed.clear();
    await fillOutbox(bed, { keys: size, tenants });
    await claims(bed.work, 20);
    note(name, await claims(bed.work, CLAIMS));
    const holder = await bed.session();
    await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await holder.query('SELECT pg_current_xact_id(), count(*) FROM outbox_slots');
    say('vacuum held back, while a third of it goes');
    await claims(bed.work, Math.floor((size * GOES) / (2 * GOES_EACH)), GOES_EACH);
    note(`${name}, vacuum held back`, await claims(bed.work, CLAIMS));
    await holder.query('ROLLBACK');
  }
  return measures;
};
