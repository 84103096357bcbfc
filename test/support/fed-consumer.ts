import type { EventProcessor } from '../../src/modules/consumer/processing/event-processor.js';
import type { EventLog, RecordBatch, Subscription } from '../../src/platform/event-log/event-log.js';
import { GROUP, type ReliablePath, TOPIC } from './reliable-path.js';

/** A consumer that a log feeds, and what it was fed. */
export class FedConsumer {
  /** First and last offset of each batch that was handed over. */
  readonly batches: (readonly [bigint, bigint])[] = [];
  private subscription!: Subscription;
  private worked: () => void = () => undefined;

  private constructor(
    private readonly path: ReliablePath,
    private readonly consumer: EventProcessor,
  ) {}

  static async of(
    path: ReliablePath,
    log: EventLog,
    consumer: EventProcessor,
    from: { readonly topic: string; readonly group: string } = { topic: TOPIC, group: GROUP },
  ): Promise<FedConsumer> {
    const fed = new FedConsumer(path, consumer);
    fed.subscription = await log.subscribe(
      { ...from, maxBatchRecords: 50, maxBatchBytes: 4_000_000 },
      {
        assigned: (topic, partition) => consumer.assigned(topic, partition),
        revoked: (topic, partition) => consumer.revoked(topic, partition),
        batch: (batch) => fed.feed(batch),
      },
    );
    return fed;
  }

  private async feed(batch: RecordBatch): Promise<bigint> {
    const { records } = batch;
    this.batches.push([records[0]!.offset, records[records.length - 1]!.offset]);
    try {
      return await this.consumer.batch(batch);
    } finally {
      this.worked();
    }
  }

  /** Resolves once so many events were applied in all; looked at after each batch. */
  async hasApplied(count: number): Promise<void> {
    for (;;) {
      // Made before the look, so that a batch between the two is not missed.
      const batch = new Promise<void>((resolve) => (this.worked = resolve));
      if ((await this.path.count('event_inbox')) >= count) return;
      await batch;
    }
  }

  status(): ReturnType<Subscription['status']> {
    return this.subscription.status();
  }

  stop(): Promise<void> {
    return this.subscription.stop();
  }
}
