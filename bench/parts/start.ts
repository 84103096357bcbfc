import { createHouse } from '../../test/support/fixtures.js';
import { Load } from '../load/load.js';
import { SPREAD_NIGHTS } from '../load/orders.js';
import { alone, timed, type Part } from '../measure.js';
import { startOurs, tokenOf } from '../ours.js';
import { residentMb } from '../process.js';
import { inRounds, median } from '../rounds.js';
import { PLENTY } from './fill-reservations.js';

const CLIENTS = 64;
const TYPES = 10;
/** How long a service that nobody asks is left alone, ms. */
const REST_MS = 5_000;
const SAMPLE_MS = 10_000;
const MINUTE_MS = 60_000;
const MINUTES = 10;

/**
 * How memory under load grows: the median of the last two minutes by that of the third and the fourth.
 * @param samples one at the end of every `everyMs`, from the beginning of the load
 */
export function growthOf(samples: readonly number[], everyMs: number): number {
  const minutes = (count: number): number => Math.round((count * MINUTE_MS) / everyMs);
  const early = samples.slice(minutes(2), minutes(4));
  const late = samples.slice(-minutes(2));
  if (samples.length < minutes(6)) throw new RangeError('less than six minutes say nothing of growth');
  return median(late) / median(early);
}

/** `APP_MODE=api` to ready on an existing database; its memory at rest, after bookings, and over ten minutes of them. */
export const start: Part = async (bed, { quick, say }) => {
  const round = async (): Promise<Record<string, number>> => {
    const { result, ms } = await timed(() => startOurs(bed, bed));
    await result.stop();
    return { ready: ms };
  };
  const ready = await inRounds({ ready: 'ms' }, [{ name: 'ours', round }], { rounds: quick ? 2 : 7, say });

  const house = await createHouse(bed.database, { rooms: PLENTY, types: TYPES, nights: SPREAD_NIGHTS });
  const token = await tokenOf(bed, house.tenantId);
  const load = Load.open(bed);
  const { port, pid } = await startOurs(bed, bed);
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
  const rest = await residentMb(pid);
  let from = 0;
  const booked = async (ms: number): Promise<number> => {
    const { done } = await load.run({ kind: 'spread', port, token, house, clients: CLIENTS, ms, from });
    from += done;
    return residentMb(pid);
  };
  const after = await booked(quick ? 3_000 : 20_000);
  say(`memory: ${rest.toFixed(0)} MB at rest, ${after.toFixed(0)} MB after ${from} bookings`);
  const measures = {
    ...ready,
    'memory at rest': alone(rest, 'MB'),
    'memory after bookings': alone(after, 'MB'),
  };
  if (quick) return measures;

  const samples: number[] = [];
  for (let n = 0; n < (MINUTES * MINUTE_MS) / SAMPLE_MS; n++) {
    samples.push(await booked(SAMPLE_MS));
    if ((n * SAMPLE_MS) % MINUTE_MS === 0)
      say(`minute ${(n * SAMPLE_MS) / MINUTE_MS}: ${samples.at(-1)!.toFixed(0)} MB`);
  }
  return {
    ...measures,
    'memory under load, the most': alone(Math.max(...samples), 'MB'),
    'growth of memory over ten minutes of load': alone(growthOf(samples, SAMPLE_MS), '×'),
  };
};
