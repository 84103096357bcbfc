import type { EventLog, LogRecord } from '../../../platform/event-log/event-log.js';
import { RecordRefusedError } from '../../../platform/event-log/event-log.js';
import { type LoopLog, WorkerLoop } from '../../../platform/worker/loop.js';
import { objectOf } from '../domain/record-value.js';
import type { DeadLetter, DeadLetterStore } from '../persistence/dead-letter-store.js';

/** Configuration of the publisher; each names the environment variable it comes from. */
export interface DeadLetterPublisherOptions {
  /** RESERVATION_DLQ_TOPIC */
  readonly dlqTopic: string;
  /** OUTBOX_SWEEP_INTERVAL_MS */
  readonly intervalMs: number;
  readonly name?: string;
}

const BATCH = 100;

/**
 * Publishes dead letters, oldest first, at least once. The table is the truth; the topic is for whoever watches. Each
 * consumer publishes those of the partitions that it holds, so that no two publish the same.
 */
export class DeadLetterPublisher {
  readonly loop: WorkerLoop;

  constructor(
    private readonly store: DeadLetterStore,
    private readonly log: EventLog,
    private readonly held: () => readonly number[],
    private readonly options: DeadLetterPublisherOptions,
    sink: LoopLog,
  ) {
    this.loop = new WorkerLoop(
      { name: options.name ?? 'consumer.dead-letters', intervalMs: options.intervalMs },
      () => this.publish(),
      sink,
    );
  }

  private async publish(): Promise<boolean> {
    const held = this.held();
    if (held.length === 0) return false;
    const letters = await this.store.unpublished(held, BATCH);
    if (letters.length === 0) return false;
    const partitions = await this.log.partitionCount(this.options.dlqTopic);
    await this.append(letters, (letter) => letter.partition % partitions);
    await this.store.published(letters);
    return letters.length === BATCH;
  }

  private async append(
    letters: readonly DeadLetter[],
    partitionOf: (letter: DeadLetter) => number,
  ): Promise<void> {
    const { dlqTopic } = this.options;
    try {
      await this.log.append(
        dlqTopic,
        letters.map((letter) => deadLetterRecord(letter, partitionOf(letter), true)),
      );
    } catch (error) {
      if (!(error instanceof RecordRefusedError)) throw error;
      // An event near the size limit no longer fits with its cause beside it: the table keeps it, the topic names it.
      for (const letter of letters) await this.appendOne(letter, partitionOf(letter));
    }
  }

  private async appendOne(letter: DeadLetter, partition: number): Promise<void> {
    const { dlqTopic } = this.options;
    try {
      await this.log.append(dlqTopic, [deadLetterRecord(letter, partition, true)]);
    } catch (error) {
      if (!(error instanceof RecordRefusedError)) throw error;
      await this.log.append(dlqTopic, [deadLetterRecord(letter, partition, false)]);
    }
  }
}

/** The record of a dead letter: the original event with `retryCount`, `attemptedAt`, `failureCause` and where it came from. */
export function deadLetterRecord(letter: DeadLetter, partition: number, whole: boolean): LogRecord {
  const { topic, logOffset, status, retryCount, attemptedAt, failureCode, failureCause, deadLetterId } =
    letter;
  const value = {
    ...(whole ? originalOf(letter.recordValue) : { truncated: true, ...identityOf(letter) }),
    deadLetterId,
    status,
    retryCount,
    attemptedAt,
    failureCode,
    failureCause,
    source: { topic, partition: letter.partition, offset: logOffset },
  };
  const traceparent = letter.recordHeaders['traceparent'];
  return {
    partition,
    key: letter.recordKey ?? '',
    value: Buffer.from(JSON.stringify(value)),
    headers: {
      ce_id: deadLetterId,
      ce_type: 'dead-letter',
      ce_source: 'tartware',
      ce_specversion: '1.0',
      ce_time: attemptedAt,
      ce_tenantid: letter.tenantId,
      ...(traceparent !== undefined && { traceparent }),
      'content-type': 'application/json',
    },
  };
}

const identityOf = ({ eventId, tenantId, aggregateId, keySeq }: DeadLetter): Record<string, unknown> => ({
  eventId,
  tenantId,
  aggregateId,
  keySeq,
});

/** The event's own fields; of what is no JSON object, its bytes. */
const originalOf = (value: Buffer | null): Record<string, unknown> =>
  objectOf(value) ?? { originalBase64: value?.toString('base64') ?? null };
