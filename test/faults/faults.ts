import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../support/http-client.js';
import type { Evidence } from './evidence.js';
import type { Load } from './load.js';
import type { Member } from './member.js';
import type { Mischief } from './mischief.js';
import type { ProxyFault } from './proxy.js';
import type { Random } from './random.js';
import { LEASE_MS, whenComplete, type Stage } from './stage.js';
import type { Tail } from './tail.js';

/** Faults that happen at a moment. */
export const FAULTS = [
  'kill-api',
  'kill-relay',
  'kill-consumer',
  'stop',
  'database-restart',
  'broker-restart',
  'proxy-cut',
  'proxy-half-open',
  'proxy-delay',
  'proxy-drop-answer',
  'rebalance-storm',
  'clock',
  'duplicates',
] as const;
export type FaultName = (typeof FAULTS)[number];

/** What a fault has to work with. */
export interface Scene {
  readonly stage: Stage;
  readonly evidence: Evidence;
  readonly load: Load;
  readonly tail: Tail;
  readonly mischief: Mischief;
  readonly random: Random;
}

/** What a fault did. */
export interface Injury {
  /** It hit something that was under way. */
  readonly bitten: boolean;
  /** From when recovery counts: ms since 1970; of a database or broker, from when it is ready again. */
  readonly at: number;
  /** The slots whose events it held up; null for all. */
  readonly slots: readonly number[] | null;
  /** What it hit, in words. */
  readonly where?: string;
}

type Fault = (scene: Scene) => Promise<Injury>;

const HOUR_MS = 3_600_000;
/** How long a trap waits for traffic, ms. */
const TRAP_MS = 2_000;
const missed = (): Injury => ({ bitten: false, at: Date.now(), slots: null });

const killApi: Fault = async ({ stage, load, random }) => {
  const api = random.pick(stage.apis);
  await until('requests in flight', async () => load.unanswered(api) > 0, TRAP_MS, 1).catch(() => undefined);
  const [struck, at] = [load.unanswered(api), Date.now()];
  await api.kill();
  return { bitten: struck > 0, at, slots: null };
};

const killWorker =
  (what: 'relay' | 'consumer'): Fault =>
  async ({ evidence, random }) => {
    const worker = await evidence.busiest(what);
    const look = what === 'relay' ? evidence.sentUnacknowledged : evidence.fetchedUncommitted;
    const found = await evidence.catchWith(worker, look, random);
    const at = Date.now();
    await worker.kill();
    return { bitten: found !== null, at, slots: found?.slots ?? null };
  };

/** Frozen past lease and session, and then it goes on as if nothing had been. */
const stop: Fault = async ({ evidence, random }) => {
  const worker = await evidence.busiest('relay');
  const found = await evidence.catchWith(worker, evidence.sentUnacknowledged, random);
  if (!found) return missed();
  const at = Date.now();
  await sleep(LEASE_MS + random.between(300, 1_000));
  worker.signal('SIGCONT');
  return { bitten: true, at, slots: found.slots };
};

const databaseRestart: Fault = async ({ stage, evidence, mischief }) => {
  const open = await until('open transactions', () => evidence.openTransactions(), TRAP_MS, 1).catch(() => 0);
  await stage.cluster.crash();
  const at = Date.now();
  await mischief.reopen();
  return { bitten: open > 0, at, slots: null };
};

const brokerRestart: Fault = async ({ stage, evidence }) => {
  const queued = await until('a queue', () => evidence.queued(), TRAP_MS, 1).catch(() => 0);
  await stage.restartBroker();
  return { bitten: queued > 0, at: Date.now(), slots: null };
};

/** Statements by which something is written for good: their answer is worth dropping. */
const WRITES = /COMMIT|outbox\.acknowledge|event_log\.append/;
const isWrite = (chunk: Buffer): boolean => WRITES.test(chunk.toString('latin1'));
const isAny = (): boolean => true;
/** Kafka's requests begin with their size and the number of their kind; Produce is 0. */
const isProduce = (chunk: Buffer): boolean => chunk.length > 6 && chunk.readInt16BE(4) === 0;

const proxyFault =
  (fault: ProxyFault): Fault =>
  async ({ stage, evidence, random }) => {
    const member = random.pick(stage.members.filter(({ up }) => up));
    const toBroker = member.broker !== null && random.chance(0.5);
    const write = fault === 'drop-answer' || random.chance(0.6);
    const route = toBroker ? member.broker : member.database;
    const slots = member.kind === 'worker' ? await evidence.slotsOf(member.pid) : [];
    const trap = {
      fault,
      matches: write ? (toBroker ? isProduce : isWrite) : isAny,
      skip: random.between(0, 5),
      all: random.chance(0.3),
      forward: random.chance(0.5),
      ms: fault === 'half-open' ? 3 * LEASE_MS : random.between(50, 800),
    };
    const hit = await route.spring(trap, TRAP_MS);
    if (!hit) return missed();
    const where = `${route.name}, ${trap.all ? 'all connections' : 'one connection'}, at ${write ? 'a write' : 'anything'}`;
    return { bitten: hit.struck > 0, at: hit.at, slots: slots.length > 0 ? slots : null, where };
  };

/** Workers go from what there are to one, to four, to one, and back; some in order, some not. */
const rebalanceStorm: Fault = async ({ stage, evidence, random }) => {
  const [first, ...others] = stage.workers;
  const end = (worker: Member): Promise<void> => (random.chance(0.5) ? worker.kill(false) : worker.retire());
  let struck = 0;
  const look = async (): Promise<void> => void (struck += (await evidence.queued()) + (await evidence.lag()));
  await look();
  await Promise.all(others.map(end));
  await look();
  await Promise.all(others.map((worker) => worker.start()));
  await look();
  await Promise.all(others.map(end));
  const at = Date.now();
  await look();
  for (const worker of others.slice(0, stage.options.workers - 1)) void worker.start();
  if (!first!.up) await whenComplete(stage);
  return { bitten: struck > 0, at, slots: null };
};

/** A worker whose clock is an hour off relays and applies with the others. */
const clock: Fault = async ({ stage, evidence, random }) => {
  const worker = random.pick(stage.workers.filter(({ up, skewMs }) => up && skewMs === 0));
  await worker.kill(false);
  await worker.start(random.chance(0.5) ? HOUR_MS : -HOUR_MS);
  const at = Date.now();
  const slots = await until(
    'slots of the worker with the wrong clock',
    async () => {
      const held = await evidence.slotsOf(worker.pid);
      return held.length > 0 && held;
    },
    10_000,
  ).catch(() => [] as number[]);
  return { bitten: slots.length > 0 && (await evidence.relayed(slots, at)), at, slots };
};

/** The whole topic once more, as after an operator's mistake. */
const duplicates: Fault = async ({ mischief }) => {
  const at = Date.now();
  const replayed = await mischief.replayTopic();
  return { bitten: replayed > 0, at, slots: null };
};

/** How each fault is done. */
export const INJECT: Readonly<Record<FaultName, Fault>> = {
  'kill-api': killApi,
  'kill-relay': killWorker('relay'),
  'kill-consumer': killWorker('consumer'),
  stop,
  'database-restart': databaseRestart,
  'broker-restart': brokerRestart,
  'proxy-cut': proxyFault('cut'),
  'proxy-half-open': proxyFault('half-open'),
  'proxy-delay': proxyFault('delay'),
  'proxy-drop-answer': proxyFault('drop-answer'),
  'rebalance-storm': rebalanceStorm,
  clock,
  duplicates,
};

/** Faults that any member bears while another is still starting. */
export const isLight = (name: FaultName): boolean => name.startsWith('proxy-');
