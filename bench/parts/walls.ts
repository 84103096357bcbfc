import { resolve } from 'node:path';
import { createHouse } from '../../test/support/fixtures.js';
import type { Bed } from '../bed.js';
import type { Ground } from '../ground.js';
import { Load } from '../load/load.js';
import { SPREAD_NIGHTS } from '../load/orders.js';
import { alone, type Measure, type Part } from '../measure.js';
import { startOurs, tokenOf } from '../ours.js';
import { TS_HOOKS } from '../process.js';
import { inRounds, median, type Runner } from '../rounds.js';
import { WALLS, type Wall } from '../walls/walls.js';
import { PLENTY } from './fill-reservations.js';

const CLIENTS = 64;
const TYPES = 10;
// All of them, so that ours is started in the same way as the others.
const HOOKS = [...TS_HOOKS, '--import', resolve(import.meta.dirname, '../walls/hook.ts')];

/** Whether each wall stands in this database after a run of bookings. */
const STANDING = `
  SELECT (SELECT bool_or(relrowsecurity) FROM pg_class) AS "tenant scope",
         EXISTS (SELECT FROM audit_log) AS "audit row", EXISTS (SELECT FROM idempotency_keys) AS idempotency`;

async function openRows(on: Ground): Promise<void> {
  const tables = await on.sql<{ name: string }>(
    'SELECT oid::regclass::text AS name FROM pg_class WHERE relrowsecurity',
  );
  for (const { name } of tables)
    await on.sql(
      `ALTER TABLE ${name} DISABLE ROW LEVEL SECURITY; ALTER TABLE ${name} NO FORCE ROW LEVEL SECURITY`,
    );
}

interface Build extends Runner {
  /** Bookings a second, turn by turn. */
  readonly rates: readonly number[];
  /** @throws Error when another wall than this one is missing, or this one isn't */
  check(): Promise<void>;
}

/** Our build without a wall, or as it is, on a database of its own. */
async function open(bed: Bed, load: Load, wall: Wall | null, ms: number): Promise<Build> {
  const label = wall?.replace(' ', '_') ?? 'all';
  const on = await bed.another(`walls_${label}`);
  if (wall === 'tenant scope') await openRows(on);
  const house = await createHouse(on.database, { rooms: PLENTY, types: TYPES, nights: SPREAD_NIGHTS });
  const token = await tokenOf(bed, house.tenantId);
  const { port } = await startOurs(bed, on, {
    name: `walls-${label}`,
    hooks: HOOKS,
    ...(wall && { env: { BENCH_WITHOUT: wall } }),
  });
  let from = 0;
  const rates: number[] = [];
  const round = async (): Promise<Record<string, number>> => {
    await bed.sql('CHECKPOINT');
    const report = await load.run({ kind: 'spread', port, token, house, clients: CLIENTS, ms, from });
    from += report.done;
    const bookings = report.done / (report.ms / 1_000);
    rates.push(bookings);
    return { bookings };
  };
  const check = async (): Promise<void> => {
    const [standing] = await on.sql<Record<Wall, boolean>>(STANDING);
    for (const one of Object.keys(WALLS) as Wall[])
      if (standing![one] !== (one !== wall))
        throw new Error(`${label}: the ${one} ${standing![one] ? 'stands' : 'is missing'}`);
  };
  return { name: wall === null ? 'ours' : `without ${wall}`, rates, round, check };
}

/** What each wall costs: bookings over HTTP with 64 clients, beside the same build without it. */
export const walls: Part = async (bed, { quick, say }) => {
  const load = Load.open(bed);
  // Many and short: what is looked for is smaller than what a round varies by.
  const rounds = quick ? 2 : 11;
  const ms = quick ? 1_500 : 3_000;
  const ours = await open(bed, load, null, ms);
  const others: Build[] = [];
  for (const wall of Object.keys(WALLS) as Wall[]) others.push(await open(bed, load, wall, ms));
  const measures: Record<string, Measure> = await inRounds({ bookings: 'bookings/s' }, [ours, ...others], {
    rounds,
    say,
  });
  for (const build of [ours, ...others]) await build.check();
  // Within a round the machine is more alike than over all of them. The first one warmed up.
  for (const { name, rates } of others) {
    const costs = rates.map((rate, round) => 100 * (1 - ours.rates[round]! / rate));
    measures[name.replace('without', 'cost of')] = alone(median(costs.slice(1)), '%');
  }
  return measures;
};
