import { Counter, Gauge, Histogram } from 'prom-client';

/**
 * Every metric of Tartware, by its one name; `docs/metrics.md` repeats this table and a test compares them.
 * Labels never hold a tenant's or a person's data, so that their number stays bounded.
 */
export const metrics = {
  httpSeconds: new Histogram({
    name: 'tartware_http_request_duration_seconds',
    help: 'Duration of HTTP requests by route pattern, method and status',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  }),
  transactionSeconds: new Histogram({
    name: 'tartware_transaction_duration_seconds',
    help: 'Duration of committed transactions by name, retries included',
    labelNames: ['name'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  }),
  transactionRetries: new Counter({
    name: 'tartware_transaction_retries_total',
    help: 'Transactions run again after a serialization failure or a deadlock',
    labelNames: ['name'],
  }),
  keptAnswers: new Counter({
    name: 'tartware_kept_answers_total',
    help: 'Reads of availability and occupancy, by what was found: new, changed, same (answered from memory)',
    labelNames: ['outcome'],
  }),
  outboxDepth: new Gauge({
    name: 'outbox_queue_depth',
    help: 'Events that are not yet in the log; estimated where a slot has more than 6,250',
  }),
  outboxOldestSeconds: new Gauge({
    name: 'outbox_oldest_event_age_seconds',
    help: 'Age of the oldest event that is not yet in the log',
  }),
  publishSeconds: new Histogram({
    name: 'outbox_publish_latency_seconds',
    help: "Time from an event's commit to the log's acknowledgement",
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
  }),
  published: new Counter({ name: 'outbox_published_total', help: 'Events acknowledged by the log' }),
  retries: new Counter({
    name: 'reservation_event_retries_total',
    help: 'Quick retries of events that failed to apply',
  }),
  deadLetters: new Counter({
    name: 'reservation_event_dlq_total',
    help: 'Events given up and dead-lettered, by cause',
    labelNames: ['code'],
  }),
  applied: new Counter({ name: 'reservation_event_applied_total', help: 'Events applied' }),
  duplicates: new Counter({
    name: 'reservation_event_duplicates_total',
    help: 'Events delivered again and not applied again',
  }),
  replayed: new Counter({
    name: 'reservation_event_replayed_total',
    help: 'Dead letters resolved by a replay',
  }),
  letters: new Gauge({
    name: 'reservation_event_dead_letters',
    help: 'Dead letters that are not resolved, by status; skipped ones too',
    labelNames: ['status'],
  }),
  batchSeconds: new Histogram({
    name: 'reservation_event_batch_duration_seconds',
    help: 'Time from the delivery of a batch to the commit of its effects and offset',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
  }),
  lag: new Gauge({
    name: 'reservation_event_consumer_lag',
    help: 'Records in the log that are not yet applied, by partition',
    labelNames: ['partition'],
  }),
  blockedKeys: new Gauge({
    name: 'outbox_blocked_keys',
    help: 'Keys that the relay holds back, by status (FAILED, PARKED, DLQ)',
    labelNames: ['status'],
  }),
  stalled: new Gauge({
    name: 'lifecycle_stalled',
    help: 'Events that stand still, by state (PERSISTED, PUBLISHED, PARKED, DLQ)',
    labelNames: ['state'],
  }),
  stalledExhausted: new Gauge({
    name: 'lifecycle_stalled_exhausted',
    help: 'Events that stand still though they were resumed to the last try: an operator is needed',
  }),
  resumed: new Counter({
    name: 'lifecycle_resumed_total',
    help: 'Stalled events that the auditor resumed, by state',
    labelNames: ['state'],
  }),
  auditSeconds: new Histogram({
    name: 'lifecycle_audit_duration_seconds',
    help: 'Duration of one look of the auditor',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15],
  }),
  holdsExpired: new Counter({ name: 'tartware_holds_expired_total', help: 'Holds swept past their time' }),
  partitionSteps: new Counter({
    name: 'tartware_partition_steps_total',
    help: 'Monthly partitions made, detached and dropped by this process',
    labelNames: ['action'],
  }),
  partitionDefaultRows: new Gauge({
    name: 'tartware_partition_default_rows',
    help: 'Rows in the default partition, which no month was there for, by table',
    labelNames: ['table'],
  }),
  partitionHeldMonths: new Gauge({
    name: 'tartware_partition_held_months',
    help: 'Age in months, past its retention, of the oldest month that is held back; 0 for none, by table',
    labelNames: ['table'],
  }),
} as const;
