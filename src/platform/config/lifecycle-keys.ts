/** An environment variable. */
export interface Key {
  readonly name: string;
  readonly fallback: string;
  readonly about: string;
}

/** A figure above `warning` or `critical` is so. */
export interface Threshold {
  readonly warning: number;
  readonly critical: number;
}

/** Thresholds of /health/reliability, by figure. */
export interface ReliabilityThresholds {
  readonly backlog: Threshold;
  readonly backlogAgeSeconds: Threshold;
  readonly lag: Threshold;
  readonly commitAgeSeconds: Threshold;
  readonly deadLetters: Threshold;
  readonly deadLetterRetries: Threshold;
  readonly blockedKeys: Threshold;
  readonly stalled: Threshold;
  readonly stalledExhausted: Threshold;
  readonly measuredAgeSeconds: Threshold;
}

/** Thresholds: variable, `warning,critical`, figure. */
const RELIABILITY = {
  backlog: [
    'RELIABILITY_BACKLOG',
    '10000,100000',
    'events not yet in the log: warning above, critical above',
  ],
  backlogAgeSeconds: ['RELIABILITY_BACKLOG_AGE_S', '30,120', 'age of the oldest of them, s'],
  lag: ['RELIABILITY_LAG', '10000,100000', 'records in the log that are not yet applied'],
  commitAgeSeconds: [
    'RELIABILITY_COMMIT_AGE_S',
    '60,300',
    'time since the last commit of a partition that has records to apply, s',
  ],
  deadLetters: ['RELIABILITY_DEAD_LETTERS', '0,50', 'dead letters, parked and replaying ones included'],
  deadLetterRetries: [
    'RELIABILITY_DEAD_LETTER_RETRIES',
    '2,20',
    'most quick retries that a dead letter took',
  ],
  blockedKeys: ['RELIABILITY_BLOCKED_KEYS', '0,50', 'keys that the relay holds back'],
  stalled: ['RELIABILITY_STALLED', '0,100', 'events that stand still'],
  stalledExhausted: ['RELIABILITY_STALLED_EXHAUSTED', '0,10', 'of these, resumed in vain to the last try'],
  measuredAgeSeconds: [
    'RELIABILITY_MEASURED_AGE_S',
    '30,120',
    'age of these figures, s: a worker measures them',
  ],
} as const satisfies Record<keyof ReliabilityThresholds, readonly [string, string, string]>;

/** The keys of the auditor and of /health/reliability. */
export const LIFECYCLE_KEYS: readonly Key[] = [
  {
    name: 'LIFECYCLE_AUDIT_INTERVAL_MS',
    fallback: '15000',
    about: 'how often the auditor looks for what stalls, ms',
  },
  {
    name: 'LIFECYCLE_PERSISTED_STALL_MS',
    fallback: '120000',
    about:
      'time after which an event that is not in the log counts as stalled, ms; also between two resumptions',
  },
  {
    name: 'LIFECYCLE_PUBLISHED_STALL_MS',
    fallback: '120000',
    about:
      'time after which a published event that is not applied counts as stalled, ms; also between two resumptions',
  },
  {
    name: 'LIFECYCLE_MAX_RESUMES',
    fallback: '3',
    about: 'times that the auditor resumes one event, 0 to 100; then an operator is needed',
  },
  ...Object.values(RELIABILITY).map(([name, fallback, about]) => ({ name, fallback, about })),
];

/** What the auditor and /health/reliability go by. */
export interface LifecycleConfig {
  readonly lifecycleAuditIntervalMs: number;
  readonly lifecyclePersistedStallMs: number;
  readonly lifecyclePublishedStallMs: number;
  readonly lifecycleMaxResumes: number;
  readonly reliability: ReliabilityThresholds;
}

/** What it takes to read it. */
interface LifecycleReader {
  readonly faults: string[];
  int(name: string, min: number, max: number): number;
  list(name: string): string[];
}

export const readLifecycle = (read: LifecycleReader): LifecycleConfig => ({
  lifecycleAuditIntervalMs: read.int('LIFECYCLE_AUDIT_INTERVAL_MS', 50, 600_000),
  lifecyclePersistedStallMs: read.int('LIFECYCLE_PERSISTED_STALL_MS', 1_000, 86_400_000),
  lifecyclePublishedStallMs: read.int('LIFECYCLE_PUBLISHED_STALL_MS', 1_000, 86_400_000),
  lifecycleMaxResumes: read.int('LIFECYCLE_MAX_RESUMES', 0, 100),
  reliability: Object.fromEntries(
    Object.entries(RELIABILITY).map(([figure, [name]]) => [figure, thresholdOf(read, name)]),
  ) as unknown as ReliabilityThresholds,
});

function thresholdOf(read: LifecycleReader, name: string): Threshold {
  const [warning, critical, ...rest] = read.list(name).map(Number);
  const sound = [warning, critical].every((value) => Number.isInteger(value) && value! >= 0);
  if (!sound || rest.length > 0 || critical! < warning!)
    read.faults.push(`${name} must be two whole numbers, warning and critical: 0,50`);
  return { warning: warning ?? 0, critical: critical ?? 0 };
}
