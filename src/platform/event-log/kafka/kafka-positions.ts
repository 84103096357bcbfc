import type { LogSink } from '../delivery/log-sink.js';
import type { KafkaTopics, OffsetRange } from './kafka-topics.js';

/** Fits the offsets that the consumer's database names to what the log still has, and says aloud what is lost. */
export class KafkaPositions {
  constructor(
    private readonly topics: KafkaTopics,
    private readonly topic: string,
    private readonly group: string,
    private readonly sink: LogSink,
  ) {}

  /** Where to begin to read, given the stored offset (null: there is none). */
  async startOf(partition: number, from: bigint | null): Promise<bigint> {
    const { low, high } = await this.range(partition);
    if (from === null) return low;
    if (from < low) {
      this.complainOfGap(partition, from, low);
      return low;
    }
    if (from > high) {
      // The topic was made anew, or lost its end: reading on from here would wait for ever, and skip what comes.
      this.complain(
        partition,
        `offset ${from} is beyond the log's end ${high}; reading again from its beginning ${low}`,
      );
      return low;
    }
    return from;
  }

  /** Offsets jump over what retention removed, which is a loss, and over markers of a stranger's transactions, which is none. */
  async explainGap(partition: number, from: bigint, to: bigint): Promise<void> {
    const low = await this.range(partition).then(
      (range) => range.low,
      () => to,
    );
    if (low > from) this.complainOfGap(partition, from, to);
  }

  private async range(partition: number): Promise<OffsetRange> {
    const range = (await this.topics.ranges(this.topic)).get(partition);
    if (!range) throw new Error(`Kafka tells no offsets of partition ${partition}`);
    return range;
  }

  private complainOfGap(partition: number, from: bigint, to: bigint): void {
    this.complain(
      partition,
      `offsets ${from} to ${to - 1n} (${to - from} records) are gone from the log, unread; reading on from ${to}`,
    );
  }

  private complain(partition: number, text: string): void {
    this.sink.error(`event log ${this.topic}/${partition}, group ${this.group}: ${text}`);
  }
}
