import { availableParallelism } from 'node:os';
import { createHouse, type TestHouse } from '../../test/support/fixtures.js';
import type { Bed } from '../bed.js';
import { Load } from '../load/load.js';
import {
  HOT_NIGHTS,
  HOT_REQUESTS,
  HOT_ROOMS,
  HOT_TYPES,
  SPREAD_NIGHTS,
  type BookOrder,
} from '../load/orders.js';
import type { Part } from '../measure.js';
import { jwksFile, startOurs, tokenOf } from '../ours.js';
import { startNaive } from '../peers/naive/start.js';
import { openPgbench } from '../peers/pgbench.js';
import { cpuMs, type ServiceProcess } from '../process.js';
import { inRounds, type Runner } from '../rounds.js';

const CLIENTS = 64;
const TYPES = 10;
/** More than anybody can sell here. */
const PLENTY = 10_000;

const SPREAD = { bookings: 'bookings/s', p50: 'ms', p99: 'ms', 'CPU of the load': '% of the machine' };
const HOT = {
  'hot: decisions': 'decisions/s',
  'hot: p99': 'ms',
  'hot: CPU of the load': '% of the machine',
};

/** Nights of which a recount finds more stays than rooms, or another number than their counter. $1 tenants. */
const OVERSOLD = `
  SELECT count(*)::int AS n FROM (
    SELECT tenant_id, room_type_id, n::date AS night, count(*)::int AS stays
      FROM reservations, generate_series(arrival, departure - 1, interval '1 day') AS n
     WHERE status IN ('HELD', 'CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT') GROUP BY 1, 2, 3) s
    FULL JOIN inventory_nights i USING (tenant_id, room_type_id, night)
   WHERE tenant_id = ANY($1) AND (coalesce(s.stays, 0) > coalesce(i.rooms, 0) OR coalesce(s.stays, 0) IS DISTINCT FROM i.sold)`;

/** Where each load books, and as whom. */
type Places = Readonly<Record<BookOrder['kind'], { readonly house: TestHouse; readonly token: string }>>;

/** What runs bookings over HTTP: a service, and how the load speaks to it. */
class Booked {
  private hotFrom = 0;

  constructor(
    readonly name: string,
    private readonly bed: Bed,
    private readonly load: Load,
    private readonly service: ServiceProcess,
    private readonly places: Places,
    private readonly ms: number,
    private readonly say: (line: string) => void,
  ) {}

  async spread(): Promise<Record<string, number>> {
    const { report, rate, share } = await this.run('spread', 0);
    return { bookings: rate, p50: report.p50, p99: report.p99, 'CPU of the load': share };
  }

  async hot(): Promise<Record<string, number>> {
    const { report, rate, share } = await this.run('hot', this.hotFrom);
    const asked = report.done + report.refused;
    // The next round begins with a week of its own.
    this.hotFrom += Math.ceil(asked / HOT_REQUESTS) * HOT_REQUESTS;
    this.say(`${this.name}, hot: ${Math.round((100 * report.refused) / asked)} % refused for lack of rooms`);
    return { 'hot: decisions': rate, 'hot: p99': report.p99, 'hot: CPU of the load': share };
  }

  private async run(kind: BookOrder['kind'], from: number) {
    // Nobody pays for what another one's writes left to be done.
    await this.bed.sql('CHECKPOINT');
    const { ms } = this;
    const { port, pid } = this.service;
    const { house, token } = this.places[kind];
    const cpu = async (): Promise<[number, number]> => [
      await cpuMs(pid),
      await cpuMs(this.bed.database.pid, true),
    ];
    const before = await cpu();
    const report = await this.load.run({ port, token, house, kind, clients: CLIENTS, ms, from });
    const after = await cpu();
    const answers = report.done + report.refused;
    const each = (took: number): string => (took / answers).toFixed(2);
    const share = (100 * report.cpuMs) / (report.ms * availableParallelism());
    this.say(
      `${this.name}, ${kind}: CPU a request: service ${each(after[0] - before[0])} ms, ` +
        `PostgreSQL ${each(after[1] - before[1])} ms, load ${each(report.cpuMs)} ms`,
    );
    return { report, rate: answers / (report.ms / 1_000), share };
  }
}

/**
 * Complete bookings over HTTP with 64 clients: token, validation, tenant scope, idempotency, price, inventory, reservation,
 * outbox, audit row. `hot`: all for one type and one week at a time, of which half are refused.
 */
export const write: Part = async (bed, { quick, say }) => {
  await bed.clear();
  const rounds = quick ? 2 : 5;
  const ms = quick ? 2_000 : 5_000;
  const at = { superUrl: bed.database.superUrl };
  const place = async (rooms: number, types: number, nights: number): Promise<Places['hot']> => {
    const house = await createHouse(at, { rooms, types, nights });
    return { house, token: await tokenOf(bed, house.tenantId) };
  };
  const places: Places = {
    spread: await place(PLENTY, TYPES, SPREAD_NIGHTS),
    hot: await place(HOT_ROOMS, HOT_TYPES, HOT_NIGHTS),
  };
  say('starting the services');
  const load = Load.open(bed);
  const [ours, naive] = await Promise.all([startOurs(bed, bed), startNaive(bed, jwksFile(bed))]);
  for (const { house } of Object.values(places)) await naive.furnish(house);
  const booked = (name: string, service: ServiceProcess): Booked =>
    new Booked(name, bed, load, service, places, ms, say);
  const [a, b] = [booked('ours', ours), booked('naive', naive)];
  const pgbenchHouse = await createHouse(at, { rooms: PLENTY, types: TYPES, nights: SPREAD_NIGHTS });
  const pgbench = await openPgbench(bed, pgbenchHouse, { ms, say });
  if (!pgbench) say('no /usr/bin/pgbench here (Debian: postgresql): without that peer');
  const spread = (of: Booked): Runner => ({ name: of.name, round: () => of.spread() });
  const hot = (of: Booked): Runner => ({ name: of.name, round: () => of.hot() });
  const measures = {
    ...(await inRounds(SPREAD, [spread(a), spread(b), ...(pgbench ? [pgbench] : [])], { rounds, say })),
    ...(await inRounds(HOT, [hot(a), hot(b)], { rounds, say })),
  };
  const houses = [...Object.values(places).map(({ house }) => house), pgbenchHouse];
  const [recount] = await bed.sql<{ n: number }>(OVERSOLD, [houses.map(({ tenantId }) => tenantId)]);
  const oversold = { ours: recount!.n, naive: await naive.oversold() };
  if (oversold.ours + oversold.naive > 0)
    throw new Error(`nights that a recount finds oversold: ${JSON.stringify(oversold)}`);
  return measures;
};
