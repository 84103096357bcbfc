import type { Consumer } from 'kafkajs';
import type { KafkaPartition } from './kafka-partition.js';

/** How often offsets are committed to Kafka, ms. Only lag tools read them. */
const COMMIT_MS = 1_000;

/** Keeps Kafka's copy of the offsets fresh, at best effort: the consumer's database is their truth. */
export class KafkaOffsetCache {
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly consumer: Consumer,
    private readonly topic: string,
    private readonly partitions: () => Iterable<KafkaPartition>,
  ) {}

  /** Something moved: commit within a second. */
  touch(): void {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      void this.flush();
    }, COMMIT_MS);
  }

  /** Commits now. By explicit offsets: `commitOffsetsIfNecessary()` without thresholds commits nothing. */
  async flush(): Promise<void> {
    const news = [...this.partitions()].filter(
      (part) => part.ready && part.live && part.next !== part.committed,
    );
    if (news.length === 0) return;
    const offsets = news.map((part) => ({
      topic: this.topic,
      partition: part.number,
      offset: part.next.toString(),
    }));
    try {
      await this.consumer.commitOffsets(offsets);
      news.forEach((part, i) => (part.committed = BigInt(offsets[i]!.offset)));
    } catch {
      // The next commit, or the next owner's, brings it up to date.
    }
  }

  close(): void {
    if (this.timer) clearTimeout(this.timer);
  }
}
