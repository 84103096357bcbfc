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

/** A measure that stands alone. */
export const alone = (ours: number, unit: string): Measure => ({
  ours: Math.round(ours * 100) / 100,
  peers: {},
  ratio: {},
  unit,
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

/** Runs `work` and answers how long it took, ms. */
export async function timed<T>(work: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const begun = performance.now();
  const result = await work();
  return { result, ms: performance.now() - begun };
}
