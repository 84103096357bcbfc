import { rounded, type Measure } from './measure.js';

/** One of those that are compared: ourselves, or a peer. */
export interface Runner {
  readonly name: string;
  /** Does the work once. Answers its figures by measure; a measure that it has nothing to say of is left out. */
  round(): Promise<Readonly<Record<string, number>>>;
}

/** The middle one; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * Runs everybody once to warm up, then `rounds` times in turn: what the machine does meanwhile hits all alike. Who begins changes
 * with the round, so that nobody always runs on what another left behind.
 *
 * @param units the unit of each measure
 * @param runners the first is ours
 * @param options.warmUp false: for work that begins from nothing each time, in processes of its own
 * @returns medians with their spread; `ratio` is ours / theirs
 */
export async function inRounds(
  units: Readonly<Record<string, string>>,
  runners: readonly [Runner, ...Runner[]],
  options: { readonly rounds: number; readonly warmUp?: boolean; readonly say: (line: string) => void },
): Promise<Record<string, Measure>> {
  const { rounds, warmUp = true, say } = options;
  const figures = new Map<string, Map<string, number[]>>();
  for (let round = warmUp ? 0 : 1; round <= rounds; round++)
    for (let turn = 0; turn < runners.length; turn++) {
      const runner = runners[(round + turn) % runners.length]!;
      const answered = await runner.round();
      const line = Object.entries(answered).map(
        ([measure, value]) => `${measure} ${rounded(value)} ${units[measure]}`,
      );
      say(`${round === 0 ? 'warm-up' : `round ${round}`}, ${runner.name}: ${line.join(', ')}`);
      if (round === 0) continue;
      for (const [measure, value] of Object.entries(answered)) {
        const byRunner = figures.get(measure) ?? figures.set(measure, new Map()).get(measure)!;
        byRunner.set(runner.name, [...(byRunner.get(runner.name) ?? []), value]);
      }
    }
  return Object.fromEntries(
    Object.entries(units).map(([measure, unit]) => [measure, measureOf(figures.get(measure), runners, unit)]),
  );
}

function measureOf(
  figures: ReadonlyMap<string, readonly number[]> | undefined,
  [ours, ...peers]: readonly [Runner, ...Runner[]],
  unit: string,
): Measure {
  const of = ({ name }: Runner): readonly number[] => figures?.get(name) ?? [];
  const here = peers.filter((peer) => of(peer).length > 0);
  const mine = median(of(ours));
  return {
    ours: rounded(mine),
    peers: Object.fromEntries(here.map((peer) => [peer.name, rounded(median(of(peer)))])),
    ratio: Object.fromEntries(here.map((peer) => [peer.name, rounded(mine / median(of(peer)))])),
    unit,
    spread: Object.fromEntries(
      [ours, ...here].map((one, i) => [
        i === 0 ? 'ours' : one.name,
        [rounded(Math.min(...of(one))), rounded(Math.max(...of(one)))],
      ]),
    ),
  };
}
