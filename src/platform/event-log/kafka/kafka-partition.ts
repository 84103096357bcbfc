import type { KafkaMessage } from 'kafkajs';
import type { BatchHandler, ReadRecord } from '../event-log.js';
import { Delivery, type DeliveryTiming } from '../delivery/delivery.js';
import { Latch } from '../delivery/latch.js';

/** One partition in a consumer's hands, from one assignment to its revocation. */
export class KafkaPartition {
  /** False from the moment that the partition was given up. */
  live = true;
  /** True once the handler has said where to read from. */
  ready = false;
  /** True once `assigned` has succeeded: only then is there anything to revoke. */
  begun = false;
  /** The next offset to read. */
  next = 0n;
  /** What Kafka was told of it last; the cache that lag tools look at. */
  committed = -1n;
  /** A batch in the handler's hands. */
  inFlight: Promise<unknown> | null = null;
  readonly interrupt = new Latch();
  readonly delivery: Delivery;
  private timer: NodeJS.Timeout | null = null;

  constructor(
    readonly number: number,
    handler: BatchHandler,
    timing: DeliveryTiming,
  ) {
    this.delivery = new Delivery(handler, timing);
  }

  /** Calls `resume` after `waitMs`, unless the partition is gone by then. */
  pauseFor(waitMs: number, resume: () => void): void {
    this.timer = setTimeout(() => {
      if (this.live) resume();
    }, waitMs);
  }

  /** No batch of this assignment is live from here on. */
  surrender(): void {
    this.live = false;
    this.interrupt.wake();
    if (this.timer) clearTimeout(this.timer);
  }
}

/** A record as the port has it; its headers, where its format has any, are text already: see `leanDecoder`. */
export const toReadRecord = (partition: number, message: KafkaMessage): ReadRecord => ({
  partition,
  offset: BigInt(message.offset),
  key: message.key === null ? null : message.key.toString(),
  value: message.value,
  headers: (message.headers ?? {}) as Record<string, string>,
  timestamp: Number(message.timestamp),
});
