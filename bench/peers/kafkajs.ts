import { Kafka, logLevel, type Message } from 'kafkajs';
import { laneOf, LANES } from '../../src/modules/outbox/domain/slots.js';
import { slotOf } from '../../src/modules/outbox/contract/events.js';
import type { LogRecord } from '../../src/platform/event-log/event-log.js';

/** Records of one `send`: as many as a lane of the relay claims. */
const BATCH = 1_000;

/** kafkajs with its defaults, quiet. */
export const kafkajs = (brokers: string): Kafka =>
  new Kafka({ brokers: brokers.split(','), clientId: 'bench-kafkajs', logLevel: logLevel.NOTHING });

/** The batches that the relay's lanes would send, by lane: same partitions, same size. */
export function batchesOf(records: readonly LogRecord[], partitions: number): Message[][][] {
  const lanes: Message[][] = Array.from({ length: LANES }, () => []);
  for (const { partition, key, value, headers } of records)
    lanes[laneOf(slotOf(key), partitions)]!.push({ partition, key, value, headers: { ...headers } });
  return lanes.map((messages) =>
    Array.from({ length: Math.ceil(messages.length / BATCH) }, (_, n) =>
      messages.slice(n * BATCH, (n + 1) * BATCH),
    ),
  );
}
