import { resolve } from 'node:path';
import { KEYS } from './keys.js';
import { readLifecycle, type LifecycleConfig } from './lifecycle-keys.js';
import { retention, type RetentionConfig } from './retention.js';

export type AppMode = 'all' | 'api' | 'worker';

/** Thrown with every fault of the environment at once, one a line; `main.ts` prints it and exits with 78 (EX_CONFIG). */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * The whole configuration, read once. Every key's environment variable, unit, default and meaning stand in `KEYS`
 * (`keys.ts`), which `docs/configuration.md` repeats (a test compares them).
 */
export interface AppConfig extends RetentionConfig, LifecycleConfig {
  readonly mode: AppMode;
  readonly host: string;
  readonly port: number;
  readonly home: string;
  /** True when no database was named: PostgreSQL is embedded under `home`. */
  readonly embedded: boolean;
  readonly databaseUrl: string | null;
  readonly databaseWorkerUrl: string | null;
  readonly databaseOwnerUrl: string | null;
  readonly databasePoolSize: number;
  /** A pooler in transaction mode stands before the database. */
  readonly databasePooled: boolean;
  /** Empty: the event log is the PostgreSQL adapter. */
  readonly kafkaBrokers: readonly string[];
  readonly topic: string;
  readonly dlqTopic: string;
  readonly topicPartitions: number;
  readonly topicRetentionMs: number;
  readonly dlqRetentionMs: number;
  readonly topicReplicas: number;
  readonly topicMinInsync: number;
  readonly maxMessageBytes: number;
  readonly consumerGroup: string;
  readonly maxRetries: number;
  readonly retryBackoffMs: number;
  readonly maxBatchBytes: number;
  readonly maxBatchRecords: number;
  readonly sessionTimeoutMs: number;
  readonly outboxSweepIntervalMs: number;
  readonly outboxLeaseMs: number;
  readonly outboxBatchSize: number;
  readonly outboxRetryScheduleMs: readonly number[];
  readonly holdSweepIntervalMs: number;
  readonly jwksFile: string;
  readonly signingKeyFile: string;
  readonly logLevel: string;
  readonly commitSha: string;
  readonly dataDir: string;
}

/** Reads single values and gathers their faults. */
class Reader {
  readonly faults: string[] = [];

  constructor(
    private readonly env: NodeJS.ProcessEnv,
    private readonly usual: Readonly<Record<string, string>>,
  ) {}

  text(name: string): string {
    return (
      this.env[name]?.trim() || (this.usual[name] ?? KEYS.find((key) => key.name === name)?.fallback ?? '')
    );
  }

  int(name: string, min: number, max: number): number {
    const raw = this.text(name);
    const value = Number(raw);
    if (/^\d+$/.test(raw) && value >= min && value <= max) return value;
    this.faults.push(`${name} must be a whole number from ${min} to ${max}, not ${JSON.stringify(raw)}`);
    return min;
  }

  list(name: string): string[] {
    return this.text(name)
      .split(',')
      .map((part) => part.trim())
      .filter(Boolean);
  }

  choice<T extends string>(name: string, allowed: readonly T[]): T {
    const value = this.text(name);
    if ((allowed as readonly string[]).includes(value)) return value as T;
    this.faults.push(`${name} must be one of ${allowed.join(', ')}, not ${JSON.stringify(value)}`);
    return allowed[0]!;
  }

  /** The value is never repeated in a fault: it holds a password. */
  databaseUrl(name: string): string | null {
    const value = this.text(name);
    if (value && !/^postgres(ql)?:\/\//.test(value))
      this.faults.push(`${name} must begin with postgres:// or postgresql://`);
    return value || null;
  }

  brokers(): string[] {
    const brokers = this.list('KAFKA_BROKERS');
    for (const broker of brokers)
      if (!/^[\w.-]+:\d+$|^\[[\da-f:]+\]:\d+$/i.test(broker))
        this.faults.push(`KAFKA_BROKERS: ${JSON.stringify(broker)} is not host:port`);
    return brokers;
  }

  topic(name: string): string {
    const topic = this.text(name);
    if (!/^[\w.-]{1,200}$/.test(topic)) this.faults.push(`${name} is no topic name`);
    return topic;
  }

  schedule(name: string): number[] {
    const schedule = this.list(name).map(Number);
    if (schedule.length === 0 || schedule.some((ms) => !Number.isInteger(ms) || ms < 0))
      this.faults.push(`${name} must be whole numbers of milliseconds, comma-separated`);
    return schedule;
  }
}

const places = (read: Reader) => {
  const home = resolve(read.text('TARTWARE_HOME'));
  const inHome = (name: string): string => resolve(read.text(name).replace('<TARTWARE_HOME>', home));
  const databaseUrl = read.databaseUrl('DATABASE_URL');
  const databaseWorkerUrl = read.databaseUrl('DATABASE_WORKER_URL');
  const databaseOwnerUrl = read.databaseUrl('DATABASE_OWNER_URL');
  return {
    home,
    embedded: !databaseUrl && !databaseWorkerUrl && !databaseOwnerUrl,
    databaseUrl,
    databaseWorkerUrl,
    databaseOwnerUrl,
    databasePoolSize: read.int('DATABASE_POOL_SIZE', 2, 100),
    databasePooled: read.choice('DATABASE_POOLER', ['none', 'transaction']) === 'transaction',
    jwksFile: inHome('AUTH_JWKS_FILE'),
    signingKeyFile: inHome('AUTH_SIGNING_KEY_FILE'),
    dataDir: resolve(read.text('TARTWARE_DATA_DIR')),
  };
};

const reliablePath = (read: Reader) => ({
  kafkaBrokers: read.brokers(),
  topic: read.topic('RESERVATION_TOPIC'),
  dlqTopic: read.topic('RESERVATION_DLQ_TOPIC'),
  topicPartitions: read.int('RESERVATION_TOPIC_PARTITIONS', 1, 64),
  topicRetentionMs: read.int('RESERVATION_TOPIC_RETENTION_MS', 60_000, 10 ** 12),
  dlqRetentionMs: read.int('RESERVATION_DLQ_RETENTION_MS', 60_000, 10 ** 12),
  topicReplicas: read.int('RESERVATION_TOPIC_REPLICATION', 1, 9),
  topicMinInsync: read.int('RESERVATION_TOPIC_MIN_INSYNC', 1, 8),
  maxMessageBytes: read.int('KAFKA_MAX_MESSAGE_BYTES', 10_000, 100_000_000),
  consumerGroup: read.text('KAFKA_CONSUMER_GROUP'),
  maxRetries: read.int('KAFKA_MAX_RETRIES', 0, 20),
  retryBackoffMs: read.int('KAFKA_RETRY_BACKOFF_MS', 0, 60_000),
  maxBatchBytes: read.int('KAFKA_MAX_BATCH_BYTES', 10_000, 100_000_000),
  maxBatchRecords: read.int('KAFKA_MAX_BATCH_RECORDS', 1, 5000),
  sessionTimeoutMs: read.int('KAFKA_SESSION_TIMEOUT_MS', 500, 600_000),
  outboxSweepIntervalMs: read.int('OUTBOX_SWEEP_INTERVAL_MS', 10, 600_000),
  outboxLeaseMs: read.int('OUTBOX_LEASE_MS', 500, 600_000),
  outboxBatchSize: read.int('OUTBOX_BATCH_SIZE', 1, 5000),
  outboxRetryScheduleMs: read.schedule('OUTBOX_RETRY_SCHEDULE_MS'),
});

/**
 * Reads the environment; the only place that does.
 * @param usual defaults that stand over those of `KEYS`: a command of the CLI logs less than a service
 * @throws ConfigError naming every fault
 */
export function loadConfig(
  env: NodeJS.ProcessEnv = process.env,
  usual: Readonly<Record<string, string>> = {},
): AppConfig {
  const read = new Reader(env, usual);
  const config: AppConfig = {
    mode: read.choice('APP_MODE', ['all', 'api', 'worker']),
    host: read.text('HOST'),
    port: read.int('PORT', 0, 65535),
    ...places(read),
    ...reliablePath(read),
    holdSweepIntervalMs: read.int('HOLD_SWEEP_INTERVAL_MS', 50, 600_000),
    ...retention(read),
    ...readLifecycle(read),
    logLevel: read.choice('LOG_LEVEL', ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']),
    commitSha: read.text('COMMIT_SHA'),
  };
  if (read.faults.length > 0) throw new ConfigError(read.faults.join('\n'));
  // One process reads the log of the embedded default: more partitions would only make its transactions smaller.
  if (config.kafkaBrokers.length === 0 && !env['RESERVATION_TOPIC_PARTITIONS'])
    return { ...config, topicPartitions: 2 };
  return config;
}

/**
 * What a mode needs besides well-formed values; the CLI, which needs less, doesn't ask for it.
 * @throws ConfigError
 */
export function requireForMode(config: AppConfig): void {
  if (config.embedded) {
    if (config.mode === 'all') return;
    throw new ConfigError(
      `APP_MODE=${config.mode} needs a PostgreSQL server: set ${config.mode === 'api' ? 'DATABASE_URL' : 'DATABASE_WORKER_URL'} (the embedded default runs as APP_MODE=all)`,
    );
  }
  const missing: string[] = [];
  if (config.mode !== 'worker' && !config.databaseUrl) missing.push('DATABASE_URL');
  if (config.mode !== 'api' && !config.databaseWorkerUrl) missing.push('DATABASE_WORKER_URL');
  if (config.databasePooled && config.mode !== 'api' && config.kafkaBrokers.length === 0)
    missing.push('KAFKA_BROKERS (DATABASE_POOLER=transaction: the event log in PostgreSQL keeps sessions)');
  if (missing.length > 0) throw new ConfigError(`APP_MODE=${config.mode} needs ${missing.join(' and ')}`);
}
