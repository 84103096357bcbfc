import { type EventLog, type LogRecord, RecordRefusedError } from '../../../platform/event-log/event-log.js';
import { metrics } from '../../../platform/observability/metrics.js';
import { type LoopLog, WorkerLoop } from '../../../platform/worker/loop.js';
import { slotOf } from '../../outbox/contract/events.js';
import { REPLAY_HEADERS } from '../domain/incoming.js';
import { objectOf } from '../domain/record-value.js';
import type { DueReplay, ReplayStore } from '../persistence/replay-store.js';

/** Configuration of the publisher; each names the environment variable it comes from. */
export interface ReplayPublisherOptions {
  /** RESERVATION_TOPIC */
  readonly topic: string;
  /** OUTBOX_SWEEP_INTERVAL_MS */
  readonly intervalMs: number;
}

const BATCH = 100;
/** How often the dead letters are counted, ms. */
const COUNT_EVERY_MS = 5_000;

/**
 * Publishes replays of dead letters to the topic of events, each key's in order, at least once: a letter that is not resolved
 * in time is published again. Each consumer publishes those of the partitions that it holds. That a letter is applied once
 * is the processor's affair, which takes the latest replay of a letter, and that once.
 * Metrics: reservation_event_dead_letters{status}.
 */
export class ReplayPublisher {
  readonly loop: WorkerLoop;
  private countedAt = -Infinity;

  constructor(
    private readonly store: ReplayStore,
    private readonly log: EventLog,
    private readonly held: () => readonly number[],
    private readonly options: ReplayPublisherOptions,
    sink: LoopLog,
  ) {
    this.loop = new WorkerLoop(
      { name: 'consumer.replays', intervalMs: options.intervalMs },
      () => this.publish(),
      sink,
    );
  }

  private async publish(): Promise<boolean> {
    await this.count();
    const held = this.held();
    if (held.length === 0) return false;
    const letters = await this.store.due(held, BATCH);
    if (letters.length === 0) return false;
    const partitions = await this.log.partitionCount(this.options.topic);
    const items = letters.map((letter) => ({ letter, record: replayRecord(letter, partitions) }));
    try {
      await this.log.append(
        this.options.topic,
        items.map(({ record }) => record),
      );
      await this.store.published(letters);
    } catch (error) {
      if (!(error instanceof RecordRefusedError)) throw error;
      // One of them is at fault; what of the others was taken meanwhile comes twice.
      for (const { letter, record } of items) await this.publishOne(letter, record);
    }
    return letters.length === BATCH;
  }

  private async publishOne(letter: DueReplay, record: LogRecord): Promise<void> {
    try {
      await this.log.append(this.options.topic, [record]);
      await this.store.published([letter]);
    } catch (error) {
      if (!(error instanceof RecordRefusedError)) throw error;
      await this.store.refused(letter, error.message.slice(0, 500));
    }
  }

  private async count(): Promise<void> {
    if (performance.now() - this.countedAt < COUNT_EVERY_MS) return;
    for (const [status, count] of await this.store.counts()) metrics.letters.set({ status }, count);
    this.countedAt = performance.now();
  }
}

/**
 * The record of a replay: the event as it was (or as it was patched) with its id, in the partition of its key, and `replay`
 * counted up in the envelope, in the headers and behind the correlation id. What is no JSON object goes as it is.
 */
export function replayRecord(letter: DueReplay, partitions: number): LogRecord {
  const { deadLetterId, replay, aggregateId, partition, recordKey, recordValue, recordHeaders } = letter;
  const envelope = objectOf(recordValue);
  const correlationId = envelope?.['correlationId'];
  return {
    partition: (aggregateId === null ? partition : slotOf(aggregateId)) % partitions,
    key: recordKey ?? '',
    value: envelope ? Buffer.from(JSON.stringify({ ...envelope, replay })) : (recordValue ?? Buffer.alloc(0)),
    headers: {
      ...recordHeaders,
      ...(typeof correlationId === 'string' && { ce_correlationid: `${correlationId};replay=${replay}` }),
      [REPLAY_HEADERS.replay]: String(replay),
      [REPLAY_HEADERS.deadLetterId]: deadLetterId,
    },
  };
}
