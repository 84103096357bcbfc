/** What a worker measures of the reliable path, across tenants: numbers only. */
export interface ReliabilityFigures {
  readonly backlog: number;
  /** True: `backlog` is the planner's estimate, since more events wait than are counted. */
  readonly backlogEstimated: boolean;
  /** Events that wait, by slot; at most `COUNTED_PER_SLOT` are counted. */
  readonly backlogBySlot: readonly number[];
  readonly backlogAgeSeconds: number;
  /** False: the event log didn't answer, and nothing is known of the lag. */
  readonly logAnswers: boolean;
  readonly partitions: readonly PartitionFigures[];
  /** Seconds since any partition's last commit; null: there was none yet. */
  readonly lastCommitSeconds: number | null;
  readonly deadLetters: Readonly<Record<'DEAD' | 'PARKED' | 'REPLAYING', number>>;
  /** Most quick retries that one of them took. */
  readonly deadLetterRetries: number;
  readonly blockedKeys: Readonly<Record<'FAILED' | 'PARKED' | 'DLQ', number>>;
  readonly stalled: Readonly<Record<'PERSISTED' | 'PUBLISHED' | 'PARKED' | 'DLQ', number>>;
  readonly stalledExhausted: number;
}

/** How far one partition of the log is applied. */
export interface PartitionFigures {
  readonly partition: number;
  readonly nextOffset: number;
  /** Records not yet applied; null while the log doesn't answer. */
  readonly lag: number | null;
  /** Seconds since its last commit; null: there was none yet. */
  readonly commitAgeSeconds: number | null;
}

export type Level = 'ok' | 'warning' | 'critical';

/** A figure against its thresholds: above one of them it is so. */
export interface Judged {
  readonly value: number | null;
  readonly warning: number;
  readonly critical: number;
  readonly level: Level;
}

type Thresholds<K extends string> = Readonly<
  Record<K, { readonly warning: number; readonly critical: number }>
>;

const ORDER: readonly Level[] = ['ok', 'warning', 'critical'];

/** The worst of them. */
export const worst = (levels: readonly Level[]): Level =>
  ORDER[Math.max(0, ...levels.map((level) => ORDER.indexOf(level)))]!;

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);

/** The values that have thresholds, by the thresholds' names; null: not known. */
export function valuesOf(
  figures: ReliabilityFigures,
  measuredAgeSeconds: number,
): Readonly<Record<string, number | null>> {
  const { partitions, logAnswers } = figures;
  const behind = partitions.filter(({ lag }) => (lag ?? 0) > 0);
  return {
    backlog: figures.backlog,
    backlogAgeSeconds: figures.backlogAgeSeconds,
    lag: logAnswers ? partitions.reduce((total, { lag }) => total + (lag ?? 0), 0) : null,
    // Of a partition that has nothing to apply no commit is to be expected.
    commitAgeSeconds: logAnswers ? Math.max(0, ...behind.map((one) => one.commitAgeSeconds ?? 0)) : null,
    deadLetters: sum(figures.deadLetters),
    deadLetterRetries: figures.deadLetterRetries,
    blockedKeys: sum(figures.blockedKeys),
    stalled: sum(figures.stalled),
    stalledExhausted: figures.stalledExhausted,
    measuredAgeSeconds,
  };
}

/** What is not known is a warning: nobody can say that it is well. */
export function judge<K extends string>(
  values: Readonly<Record<string, number | null>>,
  thresholds: Thresholds<K>,
): Record<K, Judged> {
  const names = Object.keys(thresholds) as K[];
  return Object.fromEntries(
    names.map((name) => {
      const { warning, critical } = thresholds[name];
      const value = values[name] ?? null;
      return [name, { value, warning, critical, level: levelOf(value, warning, critical) }];
    }),
  ) as Record<K, Judged>;
}

function levelOf(value: number | null, warning: number, critical: number): Level {
  if (value === null) return 'warning';
  if (value > critical) return 'critical';
  return value > warning ? 'warning' : 'ok';
}
