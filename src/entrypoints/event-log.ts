import { Logger } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { note } from '../platform/cli/output.js';
import { ConfigError, type AppConfig } from '../platform/config/config.js';
import { poolOf } from '../platform/database/data-source.js';
import type { EventLog, TopicSpec } from '../platform/event-log/event-log.js';
import { KafkaEventLog } from '../platform/event-log/kafka/kafka-event-log.js';
import { KafkaTopics } from '../platform/event-log/kafka/kafka-topics.js';
import { PostgresEventLog } from '../platform/event-log/postgres/postgres-event-log.js';

/** The topics of this configuration: events, and dead letters. */
export const topicsOf = (config: AppConfig): TopicSpec[] => [
  {
    name: config.topic,
    partitions: config.topicPartitions,
    retentionMs: config.topicRetentionMs,
    maxMessageBytes: config.maxMessageBytes,
    replicas: config.topicReplicas,
    minInsync: config.topicMinInsync,
  },
  {
    name: config.dlqTopic,
    partitions: config.topicPartitions,
    retentionMs: config.dlqRetentionMs,
    // A dead letter is the event with what became of it around it.
    maxMessageBytes: 2 * config.maxMessageBytes,
    replicas: config.topicReplicas,
    minInsync: config.topicMinInsync,
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

/** The brokers' topics, to be provisioned. @throws ConfigError without KAFKA_BROKERS */
export function kafkaTopics(config: AppConfig): KafkaTopics {
  if (config.kafkaBrokers.length === 0)
    throw new ConfigError('this needs KAFKA_BROKERS; the event log in PostgreSQL makes its topics by itself');
  return new KafkaTopics({
    brokers: config.kafkaBrokers,
    clientId: 'tartware-topics',
    // A command's standard output is its result.
    sink: { warn: note, error: note },
  });
}
