import { dropMonths } from './auditor.js';
import { type Fault, strike } from './chaos.js';
import { startConsumer } from './consumer.js';
import { Database } from './database.js';
import { type Doubles, type House } from './house.js';
import { Group, Log } from './log.js';
import { startOperator } from './operator.js';
import { OURS } from './ours.js';
import { Random } from './random.js';
import { startRelay } from './relay.js';
import { Watch } from './watch.js';
import { type Breach, World } from './world.js';
import { type Aggregate, aggregate, keyOf, Writer } from './writers.js';

/** Faults fall in this time; what follows is calm. */
const STORM_MS = 3_000;
/** In calm, everything has to be at its place by then. */
const QUIET_WITHIN_MS = 30_000;
/** The longest that a request of the storm is on its way. */
const SLOWEST_WAY_MS = 450;
/** Once quiet, it has to stay so. */
const STAYS_QUIET_MS = 800;

/** How a seed ended. */
export interface Outcome {
  readonly seed: number;
  /** Null: every promise held. */
  readonly breach: Breach | null;
  readonly text: string;
  /** What happened, line by line; empty unless it was asked for. */
  readonly trace: readonly string[];
  readonly events: number;
  readonly steps: number;
  /** How often what hurt, by name. */
  readonly bites: ReadonlyMap<string, number>;
  /** Times in the simulated world, ms. */
  readonly quietAt: number;
}

export interface RunOptions {
  /** The parts that a planted bug replaces. */
  readonly doubles?: Partial<Doubles>;
  /** Slots are not leased: only a planted bug works so. */
  readonly withoutLeases?: boolean;
  readonly trace?: boolean;
}

/** Runs one seed, from the empty house to the end. Answers the same, always, for the same seed and options. */
export async function simulate(seed: number, options: RunOptions = {}): Promise<Outcome> {
  const trace = options.trace ? [] : null;
  const world = new World(new Random(seed), trace);
  const house = build(world, options);
  const faults = populate(house);
  for (const fault of faults) world.at(fault.at, () => strike(house, fault));
  await world.runUntil(STORM_MS, () => false);
  calm(house);
  if (await world.runUntil(STORM_MS + QUIET_WITHIN_MS, () => house.watch.quiet)) await staysQuiet(house);
  else house.watch.verdict();
  return {
    seed,
    breach: world.breach?.breach ?? null,
    text: world.breach?.message ?? '',
    trace: trace ?? [],
    events: house.watch.truth.size,
    steps: world.steps,
    bites: world.bites,
    quietAt: world.now,
  };
}

function build(world: World, { doubles, withoutLeases = false }: RunOptions): House {
  const { random } = world;
  const watch = new Watch(world);
  watch.withoutLeases = withoutLeases;
  const db = new Database(world);
  const partitions = random.whole(1, 4);
  const log = new Log(world, partitions, watch);
  watch.db = db;
  watch.log = log;
  world.failing = random.pick([0, 0.01, 0.04]);
  const group = new Group(world, partitions, 600);
  return { world, db, log, group, watch, relays: new Set(), doubles: { ...OURS, ...doubles } };
}

/** Fills the house with processes, and draws what will befall them. */
function populate(house: House): Fault[] {
  const { world } = house;
  const { random } = world;
  const slots = Array.from({ length: random.whole(1, 3) }, () => random.whole(0, 15));
  const aggregates = Array.from({ length: random.whole(2, 7) }, (_, i) => aggregate(i, random.pick(slots)));
  const troubled = random.chance(0.6);
  const troubles = (['flaky', 'unclear', 'permanent', 'curable', 'slow', 'refused'] as const).map(
    (trouble) => [trouble, troubled && random.chance(0.5) ? 0.04 : 0] as const,
  );
  const skew = (): number => random.pick([0, 0, 3_600_000, -3_600_000, 700, -700]);
  for (let i = 0; i < random.whole(2, 4); i++)
    void new Writer(house, i, skew(), troubles).run(aggregates, random.whole(2, 10), STORM_MS * 0.9);
  const batch = random.whole(1, 5);
  for (let i = 0; i < random.whole(1, 3); i++) startRelay(house, `relay-${i}`, skew(), batch);
  const consumerBatch = random.whole(1, 6);
  const consumers = Array.from({ length: random.whole(1, 3) }, (_, i) =>
    startConsumer(house, `consumer-${i}`, consumerBatch),
  );
  keep(house);
  for (let i = random.whole(1, 2); i > 0; i--) startOperator(house, `operator-${i}`);
  return draw(house, aggregates, { batch, consumerBatch, consumers: new Set(consumers), skew });
}

/** The loops that look after the house. */
function keep(house: House): void {
  const { world, db, doubles } = house;
  const auditor = doubles.auditor(house);
  const every = (ms: number, work: () => void): void => {
    const tick = (): void => {
      if (world.now >= db.downUntil) work();
      world.at(world.now + ms, tick);
    };
    world.at(ms, tick);
  };
  every(230, () => auditor.step());
  every(500, () => dropMonths(house));
  every(310, () => {
    if (world.calm) auditor.operate();
  });
}

function draw(
  { world: { random }, log }: House,
  aggregates: readonly Aggregate[],
  cast: Fault['cast'],
): Fault[] {
  const faults: Fault[] = [];
  const some = (kind: Fault['kind'], most: number): void => {
    for (let i = random.whole(0, most); i > 0; i--)
      faults.push({ kind, at: random.between(100, STORM_MS), cast });
  };
  some('kill relay', 2);
  some('stop relay', 2);
  some('kill consumer', 2);
  some('stop consumer', 2);
  some('join', 1);
  some('leave', 1);
  some('database restart', 1);
  some('broker restart', 1);
  some('stranger', 2);
  some('impostor', 2);
  some('topic again', 2);
  if (random.chance(0.4)) some('record lost', 3);
  if (random.chance(0.4)) some('log cut', 2);
  if (random.chance(0.2)) log.swallows.add(keyOf(random.pick(aggregates)));
  return faults;
}

/** Faults stop: what was stopped goes on, what was away is back, causes are mended. */
function calm({ world, db, log, watch }: House): void {
  world.note(() => 'calm from here on');
  world.calm = true;
  db.downUntil = log.downUntil = world.now;
  log.swallows.clear();
  watch.cured = true;
  watch.belatedUntil = Math.max(watch.belatedUntil, world.now + SLOWEST_WAY_MS);
}

/** Nothing is sent round for ever. */
async function staysQuiet(house: House): Promise<void> {
  const { world, log } = house;
  const ends = (): string => log.partitions.map((_, partition) => log.end(partition)).join();
  const before = ends();
  await world.runUntil(world.now + STAYS_QUIET_MS, () => false);
  if (ends() !== before) world.broken('UNBOUNDED', 'something is sent again and again');
}
