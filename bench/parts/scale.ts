import { BACKGROUND_SETTINGS } from '../../src/platform/database/database.module.js';
import { openDataSource } from '../../src/platform/database/data-source.js';
import { BackgroundWork } from '../../src/platform/database/unit-of-work.js';
import type { TestHouse } from '../../test/support/fixtures.js';
import type { Bed } from '../bed.js';
import { Load } from '../load/load.js';
import type { Measure, Part } from '../measure.js';
import { startOurs, tokenOf } from '../ours.js';
import type { ServiceProcess } from '../process.js';
import { inRounds, type Runner } from '../rounds.js';
import { claims } from './claim.js';
import { fillReservations } from './fill-reservations.js';
import { fillOutbox } from './fill.js';
import { Reader, readsOf, type Reads } from './read.js';

const CLIENTS = 64;
const SAMPLES = 2_000;
const CLAIMS = 300;
/** A hundred a claim, and as many rounds as there are. */
const PENDING = 200_000;

/** Our service on a database with so many reservations on record, and events that wait for the relay. */
class Site {
  private from = 0;

  private constructor(
    readonly name: string,
    readonly reads: Reads,
    private readonly bed: Bed,
    private readonly load: Load,
    private readonly house: TestHouse,
    private readonly token: string,
    private readonly service: ServiceProcess,
    private readonly reader: Reader,
    private readonly work: BackgroundWork,
    private readonly ms: number,
  ) {}

  static async open(
    bed: Bed,
    load: Load,
    size: number,
    { ms, say }: { readonly ms: number; readonly say: (line: string) => void },
  ): Promise<Site> {
    const name = `${size.toLocaleString('en')} on record`;
    const on = await bed.another(`scale_${size}`);
    const house = await fillReservations(on, size, { written: true, say });
    const { asked, firstAsked } = await readsOf(on, house, SAMPLES);
    const reads = { ...asked, ...firstAsked };
    await fillOutbox(on, { keys: PENDING });
    const source = await openDataSource(on.database.workerUrl, {
      poolSize: 2,
      applicationName: 'tartware-bench',
      entities: [],
      settings: BACKGROUND_SETTINGS,
    });
    bed.onClose(() => source.destroy());
    const token = await tokenOf(bed, house.tenantId);
    const service = await startOurs(bed, on, { name: `scale-${size}` });
    const reader = new Reader(name, load, service, token);
    return new Site(name, reads, bed, load, house, token, service, reader, new BackgroundWork(source), ms);
  }

  async write(): Promise<number> {
    await this.bed.sql('CHECKPOINT');
    const { from, house, token, ms } = this;
    const { port } = this.service;
    const order = { kind: 'spread', port, token, house, clients: CLIENTS, ms, from } as const;
    const report = await this.load.run(order);
    this.from += report.done;
    return report.p99;
  }

  async read(what: string): Promise<number> {
    return (await this.reader.read(this.reads[what]!, this.ms)).p99;
  }

  async claim(): Promise<number> {
    return (await claims(this.work, CLAIMS)).p99;
  }
}

/**
 * The p99 of bookings, reads and claims with a large table, beside a small one: a database and a service each, in turn.
 * All bookings go into the 50 nights of one house of many.
 */
export const scale: Part = async (bed, { quick, huge, say }) => {
  const sizes = quick ? [10_000, 100_000] : [100_000, 1_000_000, ...(huge ? [10_000_000] : [])];
  const load = Load.open(bed);
  const sites: Site[] = [];
  // The largest is the one that is judged.
  for (const size of sizes.toReversed())
    sites.push(await Site.open(bed, load, size, { ms: quick ? 500 : 5_000, say }));
  const measures: Record<string, Measure> = {};
  const compare = async (what: string, figure: (site: Site) => Promise<number>): Promise<void> => {
    const name = `${what}: p99`;
    const runners = sites.map((site): Runner => ({
      name: site.name,
      round: async () => ({ [name]: await figure(site) }),
    })) as [Runner, Runner];
    Object.assign(measures, await inRounds({ [name]: 'ms' }, runners, { rounds: quick ? 2 : 5, say }));
  };
  await compare('booking', (site) => site.write());
  for (const what of Object.keys(sites[0]!.reads)) await compare(what, (site) => site.read(what));
  await compare('claim of 100', (site) => site.claim());
  return measures;
};
