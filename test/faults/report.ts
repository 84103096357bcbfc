import type { Round, Tally } from './drill.js';
import { LEASE_MS } from './stage.js';
import type { Verdict } from './verdict.js';

/** Longest recovery that is promised, ms. */
export const RECOVERY_BOUND_MS = 2 * LEASE_MS;

/** Faults of one name, as they are reported. Times are null where nothing was measured. */
export interface FaultReport {
  readonly injected: number;
  readonly bitten: number;
  readonly recoveryP50Ms: number | null;
  readonly recoveryMaxMs: number | null;
}

/** What `--json` prints. */
export interface Report extends Verdict {
  readonly dose: string;
  readonly seed: number;
  readonly byFault: Readonly<Record<string, FaultReport>>;
  readonly injected: number;
  readonly bitten: number;
  readonly seconds: number;
  /** False: cut short, or a fault would not bite as often as it should. */
  readonly whole: boolean;
  /** Faults whose longest recovery was beyond two leases. */
  readonly slow: readonly string[];
  readonly notes: readonly string[];
}

/** The sum of several rounds. */
export function reportOf(dose: string, seed: number, rounds: readonly Round[], whole: boolean): Report {
  const tallies = new Map<string, Tally>();
  for (const round of rounds)
    for (const [name, tally] of Object.entries(round.tallies)) {
      const sum = tallies.get(name) ?? { injected: 0, bitten: 0, recoveriesMs: [] };
      sum.injected += tally.injected;
      sum.bitten += tally.bitten;
      sum.recoveriesMs.push(...tally.recoveriesMs);
      tallies.set(name, sum);
    }
  const byFault = Object.fromEntries([...tallies].map(([name, tally]) => [name, faultReport(tally)]));
  const sum = (of: (round: Round) => number): number => rounds.reduce((total, round) => total + of(round), 0);
  const all = [...tallies.values()];
  return {
    dose,
    seed,
    byFault,
    injected: all.reduce((total, { injected }) => total + injected, 0),
    bitten: all.reduce((total, { bitten }) => total + bitten, 0),
    acknowledged: sum(({ verdict }) => verdict.acknowledged),
    applied: sum(({ verdict }) => verdict.applied),
    lost: sum(({ verdict }) => verdict.lost),
    twice: sum(({ verdict }) => verdict.twice),
    inverted: sum(({ verdict }) => verdict.inverted),
    orphaned: sum(({ verdict }) => verdict.orphaned),
    unlikeRecount: sum(({ verdict }) => verdict.unlikeRecount),
    notReplayable: sum(({ verdict }) => verdict.notReplayable),
    deadLetters: sum(({ verdict }) => verdict.deadLetters),
    duplicatesDelivered: sum(({ verdict }) => verdict.duplicatesDelivered),
    seconds: Math.round(sum(({ seconds }) => seconds)),
    whole: whole && rounds.every((round) => round.whole),
    slow: Object.keys(byFault).filter((name) => (byFault[name]!.recoveryMaxMs ?? 0) > RECOVERY_BOUND_MS),
    notes: rounds.flatMap(({ notes }) => notes),
  };
}

/** Whether every promise was kept. */
export const isClean = (report: Report): boolean => {
  const { lost, twice, inverted, orphaned, unlikeRecount, notReplayable, notes } = report;
  return lost + twice + inverted + orphaned + unlikeRecount + notReplayable + notes.length === 0;
};

function faultReport({ injected, bitten, recoveriesMs }: Tally): FaultReport {
  const sorted = recoveriesMs.toSorted((a, b) => a - b);
  return {
    injected,
    bitten,
    recoveryP50Ms: sorted[Math.floor((sorted.length - 1) / 2)] ?? null,
    recoveryMaxMs: sorted.at(-1) ?? null,
  };
}

/** The table of a run, in Markdown. */
export function tableOf(report: Report): string {
  const number = (value: number | null): string => (value === null ? '' : value.toLocaleString('en'));
  const rows = Object.entries(report.byFault).map(
    ([name, { injected, bitten, recoveryP50Ms, recoveryMaxMs }]) =>
      `| \`${name}\` | ${number(injected)} | ${number(bitten)} | ${number(recoveryP50Ms)} | ${number(recoveryMaxMs)} |`,
  );
  const { acknowledged, applied, lost, twice, inverted, orphaned, deadLetters, notReplayable } = report;
  const counts = [acknowledged, applied, lost, twice, inverted, orphaned, deadLetters, notReplayable];
  return [
    '| fault | injected | bitten | recovery p50, ms | recovery max, ms |',
    '|---|---|---|---|---|',
    ...rows,
    `| all | ${number(report.injected)} | ${number(report.bitten)} | | |`,
    '',
    '| acknowledged | applied | lost | twice | inverted | orphaned | dead letters | not replayable | duplicates delivered |',
    '|---|---|---|---|---|---|---|---|---|',
    `| ${[...counts, report.duplicatesDelivered].map(number).join(' | ')} |`,
  ].join('\n');
}
