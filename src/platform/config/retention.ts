/** How long monthly partitions are kept. */
export interface RetentionConfig {
  /** Whole months after its own that a month is kept, by table. */
  readonly retentionMonths: Readonly<Record<string, number>>;
  readonly detachedPartitionDays: number;
}

/** The part of `KEYS` that retention has. */
export const RETENTION_KEYS = [
  {
    name: 'OUTBOX_EVENTS_RETENTION_MONTHS',
    fallback: '13',
    about: 'whole months after its own that a month of the event log is kept, 2 to 1200',
  },
  {
    name: 'EVENT_RECEIPTS_RETENTION_MONTHS',
    fallback: '13',
    about: 'the same for the receipts of the log (PUBLISHED)',
  },
  {
    name: 'EVENT_INBOX_RETENTION_MONTHS',
    fallback: '13',
    about: 'the same for the checkpoints of the consumer (CONSUMED, APPLIED)',
  },
  {
    name: 'AUDIT_LOG_RETENTION_MONTHS',
    fallback: '84',
    about: 'the same for the audit log, of which a month is dropped only once it was exported',
  },
  {
    name: 'DETACHED_PARTITION_DAYS',
    fallback: '30',
    about: 'days between the taking out of a month and its drop, in which it can be exported, 0 to 3650',
  },
];

/** @param read tells a key's value, and a fault where it is out of its range */
export const retention = (read: {
  int(name: string, min: number, max: number): number;
}): RetentionConfig => ({
  retentionMonths: {
    outbox_events: read.int('OUTBOX_EVENTS_RETENTION_MONTHS', 2, 1200),
    event_receipts: read.int('EVENT_RECEIPTS_RETENTION_MONTHS', 2, 1200),
    event_inbox: read.int('EVENT_INBOX_RETENTION_MONTHS', 2, 1200),
    audit_log: read.int('AUDIT_LOG_RETENTION_MONTHS', 2, 1200),
  },
  detachedPartitionDays: read.int('DETACHED_PARTITION_DAYS', 0, 3650),
});
