import type { Measure } from '../measure.js';

type Measures = Readonly<Record<string, Measure>>;

/** What a measure must come to. */
export interface Bar {
  readonly part: string;
  /** The measures that it is about: one by its name, or several by their ends. */
  readonly measure: string | RegExp;
  readonly text: string;
  /** Null where what it compares with was not measured. */
  readonly met: (measure: Measure, all: Measures) => boolean | null;
}

const atMost =
  (bound: number): Bar['met'] =>
  ({ ours }) =>
    ours <= bound;

/** At least `part` of what `peer` does, or of every peer. */
const times =
  (part: number, peer?: string): Bar['met'] =>
  ({ ratio }) => {
    const ratios = peer === undefined ? Object.values(ratio) : ratio[peer] === undefined ? [] : [ratio[peer]];
    return ratios.length === 0 ? null : Math.min(...ratios) >= part;
  };

/** The one table of what must come out. */
export const BARS: readonly Bar[] = [
  { part: 'write', measure: 'bookings', text: '≥ 5 × naive', met: times(5, 'naive') },
  { part: 'write', measure: 'bookings', text: '≥ 1.0 × pgbench', met: times(1, 'pgbench') },
  {
    part: 'write',
    measure: 'p99',
    text: "below naive's p50",
    met: ({ ours }, { p50 }) => (p50?.peers['naive'] === undefined ? null : ours < p50.peers['naive']),
  },
  // A recount that finds one oversold ends the part with an error.
  { part: 'write', measure: 'hot: decisions', text: '≥ 5 × naive, none oversold', met: times(5, 'naive') },
  { part: 'drain', measure: 'events/s to Kafka', text: '≥ 0.7 × kafkajs', met: times(0.7) },
  { part: 'drain', measure: 'events/s to nowhere', text: '≥ the best peer', met: times(1) },
  {
    part: 'apply',
    measure: /^\d+ partitions?$/,
    text: '≥ 10,000/s or ≥ 0.5 × kafkajs',
    met: (measure, all) => measure.ours >= 10_000 || times(0.5)(measure, all),
  },
  {
    part: 'apply',
    measure: "backlog's fall while 1,000/s come in",
    text: 'falls',
    met: ({ ours }) => ours > 0,
  },
  { part: 'latency', measure: / p50$/, text: '≤ 10 ms', met: atMost(10) },
  { part: 'latency', measure: / p99$/, text: '≤ 50 ms', met: atMost(50) },
  { part: 'claim', measure: / p99$/, text: '≤ 5 ms', met: atMost(5) },
  {
    part: 'claim',
    measure: /vacuum held back p99$/,
    text: '≤ 1.5 × the first',
    met: ({ ours }, all) => {
      const first = Object.entries(all).find(([name]) => name.endsWith(' p99'))?.[1];
      return first === undefined ? null : ours <= 1.5 * first.ours;
    },
  },
  { part: 'read', measure: / p99$/, text: '≤ 10 ms', met: atMost(10) },
  { part: 'read', measure: / requests\/s$/, text: '≥ 0.5 × from memory', met: times(0.5, 'from memory') },
  { part: 'replay', measure: /^commands\/s/, text: '≥ 2,000/s', met: ({ ours }) => ours >= 2_000 },
  {
    part: 'scale',
    measure: / p99$/,
    text: 'grows ≤ 1.2 ×',
    met: ({ ratio }) => Math.max(...Object.values(ratio)) <= 1.2,
  },
  { part: 'walls', measure: /^cost of /, text: '≤ 10 %', met: atMost(10) },
  { part: 'start', measure: 'ready', text: '≤ 1.5 s', met: atMost(1_500) },
  { part: 'start', measure: /^memory /, text: '≤ 200 MB', met: atMost(200) },
  { part: 'start', measure: /^growth of memory/, text: '≤ 1.1', met: atMost(1.1) },
];

/** The bars of a measure. */
export const barsOf = (part: string, name: string): readonly Bar[] =>
  BARS.filter(
    (bar) =>
      bar.part === part && (typeof bar.measure === 'string' ? bar.measure === name : bar.measure.test(name)),
  );
