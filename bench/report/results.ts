import type { Measure } from '../measure.js';

/** Under what a part was measured. */
export interface Stamp {
  /** `2026-03-01T10:00Z`. */
  readonly date: string;
  readonly commit: string;
  /** Whether files differed from that commit. */
  readonly dirty: boolean;
  /** Two rounds and small tables. */
  readonly quick: boolean;
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
}

export interface PartResult {
  readonly stamp: Stamp;
  readonly measures: Readonly<Record<string, Measure>>;
}

/** By part: what `bench/results.json` keeps. */
export type Results = Readonly<Record<string, PartResult>>;

/** The kept results with those of a run, which may have been of some parts only: the other ones stay as they were. */
export function merged(
  kept: Results,
  run: Readonly<Record<string, Readonly<Record<string, Measure>>>>,
  stamp: Stamp,
): Results {
  const ran = Object.entries(run).map(([part, measures]) => [part, { stamp, measures }] as const);
  return { ...kept, ...Object.fromEntries(ran) };
}

/** `{part: {measure: {ours, peers, ratio, unit}}}`: what `--json` prints. */
export const printed = (run: Readonly<Record<string, Readonly<Record<string, Measure>>>>): object =>
  Object.fromEntries(
    Object.entries(run).map(([part, measures]) => [
      part,
      Object.fromEntries(
        Object.entries(measures).map(([name, { ours, peers, ratio, unit }]) => [
          name,
          { ours, peers, ratio, unit },
        ]),
      ),
    ]),
  );
