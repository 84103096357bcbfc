import { within } from '../../src/platform/worker/within.js';
import { until } from '../support/http-client.js';
import { settleDeadLetters } from './dead-letters.js';
import { Evidence } from './evidence.js';
import type { Dose } from './doses.js';
import { INJECT, isLight, type FaultName, type Scene } from './faults.js';
import { Load } from './load.js';
import { Mischief } from './mischief.js';
import { Random } from './random.js';
import { LEASE_MS, Stage, whenComplete } from './stage.js';
import { Tail } from './tail.js';
import { judge, quiet, type Verdict } from './verdict.js';

/** Faults of one name. */
export interface Tally {
  injected: number;
  bitten: number;
  /** Of each that bit: ms until the first event committed after it was applied. */
  readonly recoveriesMs: number[];
}

/** What one round came to. */
export interface Round {
  readonly tallies: Readonly<Record<string, Tally>>;
  readonly verdict: Verdict;
  /** Broken promises that no number tells: wrong answers, processes that died by themselves. */
  readonly notes: readonly string[];
  readonly seconds: number;
  /** Of these, while faults were injected. */
  readonly faultSeconds: number;
  /** False: it ran out of time, or a fault would not bite. */
  readonly whole: boolean;
}

export interface RoundOptions {
  readonly dose: Dose;
  readonly share: ReadonlyMap<FaultName, number>;
  readonly seed: number;
  /** Milliseconds after the first fault after which none is injected any more. */
  readonly limitMs: number;
  readonly report: (line: string) => void;
}

/** Ctrl-C leaves nothing behind. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const REPORT_EVERY_MS = 5_000;
/** No fault takes so long to do, ms. */
const PATIENCE_MS = 180_000;
/** Requests answered before the first fault: caches are warm, and there is something to lose. */
const WARM = 100;
/** A fault is injected so often for each time that it has to bite, and some times more; then it is given up, and said. */
const TRIES = 4;

/** Stage up, load on, faults until the share has bitten, load off, quiet, dead letters replayed, quiet, verdict. */
export async function runRound(options: RoundOptions): Promise<Round> {
  const begun = performance.now();
  const { dose, seed, report } = options;
  report(
    `seed ${seed}: starting ${dose.apis} API, ${dose.workers} workers, ${dose.kafka ? 'Kafka' : 'no Kafka'}`,
  );
  const stage = await Stage.open(dose);
  const leave = (): void => void stage.close().finally(() => process.exit(130));
  for (const signal of SIGNALS) process.once(signal, leave);
  try {
    const random = new Random(seed);
    const tail = await Tail.open(stage.log);
    const mischief = new Mischief(stage, tail, random.fork());
    const evidence = new Evidence(stage, tail);
    await mischief.begin();
    const load = Load.start(stage, dose.clients, random.fork());
    await until('the first answers', async () => load.acknowledged >= WARM, 60_000);
    const injector = new Injector({ stage, evidence, load, tail, mischief, random }, options);
    const first = performance.now();
    const whole = await injector.run();
    const faultSeconds = (performance.now() - first) / 1_000;
    await load.stop();
    await mischief.calm();
    const openMs = await mischief.end();
    report('load off, waiting for quiet');
    const isQuiet = await quiet(evidence);
    report('replaying the dead letters');
    await settleDeadLetters(stage);
    const isQuietAgain = await quiet(evidence);
    const verdict = await judge(stage.cluster.urls.superUrl, load, tail);
    const notes = [
      ...load.wrong.slice(0, 20),
      ...stage.members.flatMap(({ crashes }) => crashes),
      ...(isQuiet ? [] : ['two minutes after the last request it is not quiet']),
      ...(isQuietAgain ? [] : ['two minutes after the replay of the dead letters it is not quiet']),
    ];
    const lasting = await lastingOf(mischief, openMs, stage);
    const seconds = (performance.now() - begun) / 1_000;
    return { tallies: { ...injector.tallies, ...lasting }, verdict, notes, seconds, faultSeconds, whole };
  } finally {
    for (const signal of SIGNALS) process.off(signal, leave);
    await stage.close();
  }
}

/** The two that last for the whole round. */
async function lastingOf(mischief: Mischief, openMs: number, stage: Stage): Promise<Record<string, Tally>> {
  const [row] = await stage.cluster.ask<{ n: number }>(`SELECT count(*)::int AS n FROM dead_letters`);
  return {
    poison: { injected: mischief.poisoned, bitten: Math.min(mischief.poisoned, row!.n), recoveriesMs: [] },
    'open-transaction': { injected: 1, bitten: openMs > LEASE_MS ? 1 : 0, recoveriesMs: [] },
  };
}

class Injector {
  readonly tallies: Record<string, Tally> = {};
  private now: FaultName | 'waiting' = 'waiting';

  constructor(
    private readonly scene: Scene,
    private readonly options: RoundOptions,
  ) {
    for (const name of options.share.keys())
      this.tallies[name] = { injected: 0, bitten: 0, recoveriesMs: [] };
  }

  /** True when everything bit as often as it should. */
  async run(): Promise<boolean> {
    const timer = setInterval(() => this.progress(), REPORT_EVERY_MS);
    try {
      return await this.injectAll();
    } finally {
      clearInterval(timer);
    }
  }

  private async injectAll(): Promise<boolean> {
    const begun = performance.now();
    for (;;) {
      const open = [...this.options.share].filter(([name, wanted]) => this.wants(name, wanted));
      if (open.length === 0) break;
      if (performance.now() - begun > this.options.limitMs) {
        this.options.report('out of time');
        return false;
      }
      await this.inject(await this.choose(open.map(([name]) => name)));
    }
    return [...this.options.share].every(([name, wanted]) => this.tallies[name]!.bitten >= wanted);
  }

  private wants(name: FaultName, wanted: number): boolean {
    const { injected, bitten } = this.tallies[name]!;
    return bitten < wanted && injected < TRIES * wanted + TRIES;
  }

  /** By chance, weighted by what is left; while something is still starting a light one, so that recovery is the fault's own. */
  private async choose(open: readonly FaultName[]): Promise<FaultName> {
    const { stage, random } = this.scene;
    const light = open.filter(isLight);
    if (!stage.complete && light.length === 0) await whenComplete(stage);
    const choice = stage.complete ? open : light;
    const lots = choice.flatMap((name) =>
      Array.from({ length: this.options.share.get(name)! - this.tallies[name]!.bitten }, () => name),
    );
    return random.pick(lots);
  }

  private async inject(name: FaultName): Promise<void> {
    const tally = this.tallies[name]!;
    tally.injected += 1;
    this.now = name;
    const { bitten, at, slots, where = '' } = await within(PATIENCE_MS, name, () => INJECT[name](this.scene));
    const recovery = await this.scene.evidence.recovery(at, slots);
    if (!bitten) return;
    tally.bitten += 1;
    tally.recoveriesMs.push(Math.round(recovery));
    if (recovery > 2 * LEASE_MS)
      this.options.report(`${name} took ${Math.round(recovery)} ms to recover (${where})`);
  }

  private progress(): void {
    const { load } = this.scene;
    const bitten = Object.values(this.tallies).reduce((sum, tally) => sum + tally.bitten, 0);
    const wanted = [...this.options.share.values()].reduce((sum, n) => sum + n, 0);
    this.options.report(
      `${bitten} of ${wanted} faults bit, now ${this.now}; ${load.acknowledged} acknowledged, ${load.refused} refused, ${load.retried} asked again`,
    );
  }
}
