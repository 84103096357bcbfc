import { LIFECYCLE_KEYS, type Key } from './lifecycle-keys.js';
import { RETENTION_KEYS } from './retention.js';

/** Every environment variable that Tartware reads. */
export const KEYS: readonly Key[] = [
  { name: 'APP_MODE', fallback: 'all', about: 'all, api or worker' },
  { name: 'HOST', fallback: '127.0.0.1', about: 'address the HTTP server binds to; 0.0.0.0 in a container' },
  {
    name: 'PORT',
    fallback: '3000',
    about: 'port of the HTTP server (API, probes, metrics); 0 takes a free one',
  },
  {
    name: 'TARTWARE_HOME',
    fallback: '.tartware',
    about: 'folder of everything the embedded default writes: database, keys',
  },
  {
    name: 'DATABASE_URL',
    fallback: '',
    about: "the application's role, which owns nothing; empty: embedded PostgreSQL",
  },
  {
    name: 'DATABASE_WORKER_URL',
    fallback: '',
    about: 'the background role of relay, consumer and maintenance',
  },
  {
    name: 'DATABASE_OWNER_URL',
    fallback: '',
    about:
      'the owner of the schema; used by `tartware migrate`, `partitions export` and `partitions backfill` only',
  },
  { name: 'DATABASE_POOL_SIZE', fallback: '10', about: 'connections a pool, 2 to 100' },
  {
    name: 'DATABASE_POOLER',
    fallback: 'none',
    about:
      'none, or transaction: a pooler (pgbouncer) in that mode stands before DATABASE_URL and DATABASE_WORKER_URL; statements are not prepared, workers poll; no setting passes it: give both roles `jit = off` and a `statement_timeout` on the server',
  },
  {
    name: 'KAFKA_BROKERS',
    fallback: '',
    about: 'host:port, comma-separated; empty: the event log in PostgreSQL',
  },
  { name: 'RESERVATION_TOPIC', fallback: 'reservations.events', about: 'topic of all events' },
  { name: 'RESERVATION_DLQ_TOPIC', fallback: 'reservations.events.dlq', about: 'topic of dead letters' },
  {
    name: 'RESERVATION_TOPIC_PARTITIONS',
    fallback: '8',
    about: 'partitions of a topic that has to be created, 1 to 64; 2 without Kafka',
  },
  {
    name: 'RESERVATION_TOPIC_RETENTION_MS',
    fallback: '604800000',
    about: 'time records are kept in the log, ms',
  },
  { name: 'RESERVATION_DLQ_RETENTION_MS', fallback: '2419200000', about: 'time dead letters are kept, ms' },
  { name: 'RESERVATION_TOPIC_REPLICATION', fallback: '3', about: 'copies, 1 to 9; no more than brokers' },
  { name: 'RESERVATION_TOPIC_MIN_INSYNC', fallback: '2', about: 'copies that acknowledge, 1 to 8' },
  { name: 'KAFKA_MAX_MESSAGE_BYTES', fallback: '1000000', about: 'largest record that a topic takes, bytes' },
  { name: 'KAFKA_CONSUMER_GROUP', fallback: 'tartware-projections', about: 'consumer group' },
  {
    name: 'KAFKA_MAX_RETRIES',
    fallback: '3',
    about: 'quick retries of a failing event after its first try, 0 to 20; then the dead letter',
  },
  {
    name: 'KAFKA_RETRY_BACKOFF_MS',
    fallback: '50',
    about: 'first delay between quick retries, ms; doubles, with jitter',
  },
  { name: 'KAFKA_MAX_BATCH_BYTES', fallback: '4194304', about: 'bytes of records fetched at once' },
  {
    name: 'KAFKA_MAX_BATCH_RECORDS',
    fallback: '500',
    about: 'records applied in one transaction, 1 to 5000',
  },
  {
    name: 'KAFKA_SESSION_TIMEOUT_MS',
    fallback: '10000',
    about: 'silence after which the broker gives the partitions to another consumer, ms',
  },
  {
    name: 'OUTBOX_SWEEP_INTERVAL_MS',
    fallback: '1000',
    about: 'longest wait before the relay looks again without being woken, ms',
  },
  {
    name: 'OUTBOX_LEASE_MS',
    fallback: '10000',
    about: "time a relay's claim on its slots lasts without renewal, ms",
  },
  { name: 'OUTBOX_BATCH_SIZE', fallback: '500', about: 'events sent at once a slot, 1 to 5000' },
  {
    name: 'OUTBOX_RETRY_SCHEDULE_MS',
    fallback: '1000,5000,30000',
    about: 'waits between tries of an event that the broker refuses, ms; after the last, DLQ',
  },
  {
    name: 'HOLD_SWEEP_INTERVAL_MS',
    fallback: '1000',
    about: 'how often expired holds give their nights back, ms',
  },
  ...RETENTION_KEYS,
  ...LIFECYCLE_KEYS,
  {
    name: 'AUTH_JWKS_FILE',
    fallback: '<TARTWARE_HOME>/keys/jwks.json',
    about: 'public keys (JWKS) that tokens are verified with',
  },
  {
    name: 'AUTH_SIGNING_KEY_FILE',
    fallback: '<TARTWARE_HOME>/keys/signing.jwk',
    about: 'private key (JWK) of `tartware token issue`; the API never reads it',
  },
  { name: 'LOG_LEVEL', fallback: 'info', about: 'fatal, error, warn, info, debug, trace or silent' },
  { name: 'COMMIT_SHA', fallback: 'unknown', about: 'commit of this build, shown in logs and /health' },
  {
    name: 'TARTWARE_DATA_DIR',
    fallback: '../shared/data',
    about: 'folder of real data for tests and replays',
  },
];
