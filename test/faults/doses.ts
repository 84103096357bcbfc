import { FAULTS, type FaultName } from './faults.js';

/** How much of what. */
export interface Dose {
  readonly name: 'small' | 'ci' | 'long';
  /** With a real broker (Java, Maven); else on the log in PostgreSQL. */
  readonly kafka: boolean;
  readonly apis: number;
  readonly workers: number;
  readonly clients: number;
  /** How many of each fault have to bite. */
  readonly wanted: Readonly<Partial<Record<FaultName, number>>>;
  /** Each round has a stage of its own and ends with a verdict. */
  readonly rounds: number;
}

const proxies = (each: number) => ({
  'proxy-cut': each,
  'proxy-half-open': each,
  'proxy-delay': each,
  'proxy-drop-answer': each,
});

const FULL = { kafka: true, apis: 2, workers: 2, clients: 8 } as const;

export const DOSES: Readonly<Record<Dose['name'], Dose>> = {
  /** What `npm test` runs: seconds, and no Java. */
  small: {
    name: 'small',
    kafka: false,
    apis: 1,
    workers: 2,
    clients: 6,
    rounds: 1,
    wanted: {
      'kill-api': 1,
      'kill-relay': 1,
      'kill-consumer': 1,
      stop: 1,
      'database-restart': 1,
      'proxy-cut': 2,
      'proxy-half-open': 1,
      'proxy-delay': 2,
      'proxy-drop-answer': 3,
      duplicates: 1,
    },
  },
  /** About a quarter of an hour. */
  ci: {
    ...FULL,
    name: 'ci',
    rounds: 1,
    wanted: {
      'kill-api': 40,
      'kill-relay': 40,
      'kill-consumer': 40,
      stop: 10,
      'database-restart': 5,
      'broker-restart': 5,
      ...proxies(50),
      'rebalance-storm': 3,
      clock: 3,
      duplicates: 2,
    },
  },
  /** Five thousand and more, most of them cheap. */
  long: {
    ...FULL,
    name: 'long',
    rounds: 20,
    wanted: {
      'kill-api': 120,
      'kill-relay': 120,
      'kill-consumer': 120,
      stop: 40,
      'database-restart': 20,
      'broker-restart': 20,
      ...proxies(1_140),
      'rebalance-storm': 20,
      clock: 20,
      duplicates: 20,
    },
  },
};

/** What is left of `wanted`, divided evenly over the rounds that are left. */
export function shareOf(
  dose: Dose,
  bitten: (name: FaultName) => number,
  roundsLeft: number,
): Map<FaultName, number> {
  const share = new Map<FaultName, number>();
  for (const name of FAULTS) {
    const left = (dose.wanted[name] ?? 0) - bitten(name);
    if (left > 0) share.set(name, Math.ceil(left / Math.max(1, roundsLeft)));
  }
  return share;
}
