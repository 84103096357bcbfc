/** Figures of one kind, ms. */
export class Samples {
  private readonly values: number[] = [];

  add(value: number): void {
    this.values.push(value);
  }

  get count(): number {
    return this.values.length;
  }

  /** The value that `part` (0 to 1) of all are at or below; nearest rank. */
  percentile(part: number): number {
    const sorted = this.values.toSorted((a, b) => a - b);
    return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? NaN;
  }

  get p50(): number {
    return this.percentile(0.5);
  }

  get p99(): number {
    return this.percentile(0.99);
  }
}

/** One measure: ours, and those that it is compared with; of rounds the median. */
export interface Measure {
  readonly ours: number;
  readonly peers: Readonly<Record<string, number>>;
  readonly ratio: Readonly<Record<string, number>>;
  readonly unit: string;
  /** The lowest and the highest of the rounds: `ours`, and peers by name. */
  readonly spread?: Readonly<Record<string, readonly [number, number]>>;
}

const HUNDREDTHS = 100;
/** To a hundredth. */
export const rounded = (value: number): number => Math.round(value * HUNDREDTHS) / HUNDREDTHS;

/** A measure that stands alone. */
export const alone = (ours: number, unit: string): Measure => ({
  ours: rounded(ours),
  peers: {},
  ratio: {},
  unit,
});

/** A measure beside another one, without rounds. */
export const beside = (ours: number, peer: string, theirs: number, unit: string): Measure => ({
  ...alone(ours, unit),
  peers: { [peer]: rounded(theirs) },
  ratio: { [peer]: rounded(ours / theirs) },
});

/** A part of the bench: its measures by name; none where what it needs is not there, which it says. */
export type Part = (
  bed: import('./bed.js').Bed,
  options: {
    readonly quick: boolean;
    /** Tables of ten millions as well. */
    readonly huge: boolean;
    readonly say: (line: string) => void;
  },
) => Promise<Record<string, Measure>>;

/** Steps of computing that asks nobody for anything, a few nanoseconds each. */
function compute(steps: number): number {
  let value = 1;
  for (let n = 0; n < steps; n++) value = (value * 48_271) % 2_147_483_647;
  return value;
}

/**
 * The same piece of computing, as often: `ms` long each where nothing disturbs it. What its p99 is above that, the machine adds to
 * whatever takes so long: a core that another one has, or that the host gives to another machine.
 */
export function computing(ms: number, pieces: number): Samples {
  const STEPS = 100_000;
  const took = (steps: number): number => {
    const begun = performance.now();
    // Whoever looks at what comes out makes the compiler leave the loop in.
    if (compute(steps) < 0) throw new Error('a remainder below zero');
    return performance.now() - begun;
  };
  const shortest = Math.min(...Array.from({ length: 100 }, () => took(STEPS)));
  const samples = new Samples();
  for (let n = 0; n < pieces; n++) samples.add(took(Math.round((STEPS * ms) / shortest)));
  return samples;
}

/** Runs `work` and answers how long it took, ms. */
export async function timed<T>(work: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const begun = performance.now();
  const result = await work();
  return { result, ms: performance.now() - begun };
}
