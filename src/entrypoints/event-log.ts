import { Logger } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import type { AppConfig } from '../platform/config/config.js';
import { poolOf } from '../platform/database/data-source.js';
import type { EventLog, TopicSpec } from '../platform/event-log/event-log.js';
import { KafkaEventLog } from '../platform/event-log/kafka/kafka-event-log.js';
import { PostgresEventLog } from '../platform/event-log/postgres/postgres-event-log.js';

/** The topics of this configuration: events, and dead letters, kept four times as long. */
export const topicsOf = (config: AppConfig): TopicSpec[] => [
  {
    name: config.topic,
    partitions: config.topicPartitions,
    retentionMs: config.topicRetentionMs,
    maxMessageBytes: config.maxMessageBytes,
  },
  {
    name: config.dlqTopic,
    partitions: config.topicPartitions,
    retentionMs: 4 * config.topicRetentionMs,
    // A dead letter is the event with what became of it around it.
    maxMessageBytes: 2 * config.maxMessageBytes,
  },
];

/** Kafka where brokers are named, else the log in PostgreSQL. @param background the background role's pool */
export function openEventLog(config: AppConfig, background: DataSource | null): EventLog {
  const sink = new Logger('EventLog');
  if (config.kafkaBrokers.length > 0)
    return new KafkaEventLog({
      brokers: [...config.kafkaBrokers],
      clientId: 'tartware',
      sessionTimeoutMs: config.sessionTimeoutMs,
      sink,
    });
  if (!background) throw new Error('the event log in PostgreSQL needs DATABASE_WORKER_URL');
  return new PostgresEventLog(poolOf(background), { sink });
}
