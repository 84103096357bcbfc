import type { TestHouse } from '../../test/support/fixtures.js';
import type { Ground } from '../ground.js';
import { Load } from '../load/load.js';
import type { Measure, Part } from '../measure.js';
import { startOurs, tokenOf } from '../ours.js';
import { startMemory } from '../peers/memory/start.js';
import type { ServiceProcess } from '../process.js';
import { inRounds, type Runner } from '../rounds.js';
import { fillReservations, OPEN_NIGHTS } from './fill-reservations.js';

const CLIENTS = 4;
/** Months and years that are asked for: their answers are long. */
const RANGES = 100;
const MONTH = 31;
const YEAR = 365;

/** Paths to read, by what they are. */
export type Reads = Readonly<Record<string, readonly string[]>>;

/**
 * What is read: all over again, and ranges in such numbers that, with ten houses or more, no answer of theirs is still kept when
 * their turn comes again.
 */
export interface ReadPaths {
  readonly asked: Reads;
  readonly firstAsked: Reads;
}

const FIRST_ASKED = ', first asked';

/** Reservations and requests at random, and houses in turn, a week later each time; first asked, a day later each time. */
export async function readsOf(on: Ground, { tenantId, day }: TestHouse, many: number): Promise<ReadPaths> {
  const events = await on.sql<{ id: string; request: string }>(
    `SELECT aggregate_id AS id, correlation_id AS request FROM outbox_events WHERE tenant_id = $1 ORDER BY random() LIMIT $2`,
    [tenantId, many],
  );
  const houses = await on.sql<{ id: string }>(
    'SELECT property_id AS id FROM properties WHERE tenant_id = $1 ORDER BY code LIMIT $2',
    [tenantId, RANGES],
  );
  const range = (what: string, { id }: { id: string }, start: number, nights: number): string =>
    `/v1/properties/${id}/${what}?from=${day(start)}&to=${day(start + nights)}`;
  const ranges = (what: string, nights: number): string[] =>
    Array.from({ length: Math.min(many, RANGES) }, (_, n) =>
      range(what, houses[n % houses.length]!, (7 * n) % (OPEN_NIGHTS - nights), nights),
    );
  const allRanges = (what: string, nights: number): string[] =>
    Array.from({ length: OPEN_NIGHTS - nights }, (_, start) => start).flatMap((start) =>
      houses.map((house) => range(what, house, start, nights)),
    );
  return {
    asked: {
      'reservation by id': events.map(({ id }) => `/v1/reservations/${id}`),
      'availability of a month': ranges('availability', MONTH),
      'occupancy of a year': ranges('occupancy', YEAR),
      'lifecycle of a reservation': events.map(({ id }) => `/v1/reservations/${id}/lifecycle`),
      'where a request is': events.map(({ request }) => `/v1/requests/${request}`),
    },
    firstAsked: {
      [`availability of a month${FIRST_ASKED}`]: allRanges('availability', MONTH),
      [`occupancy of a year${FIRST_ASKED}`]: allRanges('occupancy', YEAR),
    },
  };
}

/** Who answers reads: four clients that go on at once with the next. */
export class Reader {
  private from = 0;

  constructor(
    readonly name: string,
    private readonly load: Load,
    private readonly service: ServiceProcess,
    private readonly token: string,
  ) {}

  /** Reads these paths for so long. */
  async read(
    paths: readonly string[],
    ms: number,
  ): Promise<{ readonly p50: number; readonly p99: number; readonly rate: number }> {
    const { token, from } = this;
    const { port } = this.service;
    const order = { kind: 'get', port, token, paths, clients: CLIENTS, ms, from } as const;
    const { done, p50, p99, ms: took } = await this.load.run(order);
    this.from += done;
    return { p50, p99, rate: done / (took / 1_000) };
  }
}

/** Reads over HTTP with as many reservations on record, beside the same bytes from memory behind the same guard. */
export const read: Part = async (bed, { quick, say }) => {
  const on = await bed.another('reads');
  const house = await fillReservations(on, quick ? 100_000 : 1_000_000, { say });
  const { asked, firstAsked } = await readsOf(on, house, quick ? 300 : 2_000);
  const load = Load.open(bed);
  const token = await tokenOf(bed, house.tenantId);
  const ours = await startOurs(bed, on);
  const memory = await startMemory(bed, ours, token, Object.values(asked).flat());
  const reader = new Reader('ours', load, ours, token);
  const fromMemory = new Reader('from memory', load, memory, token);
  const measures: Record<string, Measure> = {};
  for (const [what, paths] of Object.entries({ ...asked, ...firstAsked })) {
    // Of other nights, and as long.
    const recorded = asked[what.replace(FIRST_ASKED, '')]!;
    const runners = [
      { of: reader, paths },
      { of: fromMemory, paths: recorded },
    ].map(({ of, paths }): Runner => ({
      name: of.name,
      round: async () => {
        const { p50, p99, rate } = await of.read(paths, quick ? 300 : 2_000);
        return { [`${what}: p50`]: p50, [`${what}: p99`]: p99, [`${what}: requests/s`]: rate };
      },
    })) as [Runner, Runner];
    const units = { [`${what}: p50`]: 'ms', [`${what}: p99`]: 'ms', [`${what}: requests/s`]: 'requests/s' };
    Object.assign(measures, await inRounds(units, runners, { rounds: quick ? 2 : 5, say }));
  }
  return measures;
};
