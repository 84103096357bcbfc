import type { BatchHandler, ReadRecord, RecordBatch } from '../../src/platform/event-log/event-log.js';

/** How long a test waits for something to happen before it says what didn't, ms. */
const PATIENCE_MS = 15_000;

/** Wakes whoever waits for a condition, each time something happened: tests await signals, and sleep never. */
export class Happenings {
  private readonly waiting = new Set<() => void>();

  happened(): void {
    for (const look of [...this.waiting]) look();
  }

  /** Resolves once `condition` holds; rejects with `what` when it doesn't in time. */
  until(what: string, condition: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (end: () => void): void => {
        clearTimeout(timer);
        this.waiting.delete(look);
        end();
      };
      const look = (): void => {
        if (condition()) done(resolve);
      };
      const timer = setTimeout(
        () => done(() => reject(new Error(`not within ${PATIENCE_MS} ms: ${what}`))),
        PATIENCE_MS,
      );
      this.waiting.add(look);
      look();
    });
  }
}

/** A consumer's database: the offset of each partition and what was applied, shared by the consumers of one group. */
export class GroupLedger {
  readonly offsets = new Map<number, bigint>();
  readonly applied: ReadRecord[] = [];
  /** Partitions that two consumers held live at once; always empty if the log keeps its word. */
  readonly overlaps: string[] = [];
  readonly latest = new Map<number, { owner: RecordingHandler; batch: RecordBatch }>();

  constructor(readonly events = new Happenings()) {}

  values(partition?: number): string[] {
    return this.applied
      .filter((record) => partition === undefined || record.partition === partition)
      .map((record) => record.value?.toString() ?? '<null>');
  }

  /** Resolves when `count` records were applied. */
  async hasApplied(count: number): Promise<void> {
    await this.events.until(`${count} records applied`, () => this.applied.length >= count);
  }
}

type Step = (batch: RecordBatch) => Promise<bigint>;

/** A consumer that keeps its offsets in a ledger, as the real one does in PostgreSQL, and remembers every callback. */
export class RecordingHandler implements BatchHandler {
  /** `+3` assigned, `-3` revoked, `3:0-9` a batch of offsets 0 to 9. */
  readonly calls: string[] = [];
  readonly batches: RecordBatch[] = [];
  readonly held = new Set<number>();
  /** Does a batch's work in place of `apply`, once for each entry. */
  readonly script: Step[] = [];

  constructor(readonly ledger = new GroupLedger()) {}

  async assigned(_topic: string, partition: number): Promise<bigint | null> {
    this.calls.push(`+${partition}`);
    this.held.add(partition);
    this.ledger.events.happened();
    return this.ledger.offsets.get(partition) ?? null;
  }

  async revoked(_topic: string, partition: number): Promise<void> {
    this.calls.push(`-${partition}`);
    this.held.delete(partition);
    this.ledger.events.happened();
  }

  async batch(batch: RecordBatch): Promise<bigint> {
    const { partition, records } = batch;
    this.calls.push(`${partition}:${records[0]!.offset}-${records[records.length - 1]!.offset}`);
    this.batches.push(batch);
    this.noteOverlap(batch);
    try {
      return await (this.script.shift() ?? ((b) => this.apply(b)))(batch);
    } finally {
      this.ledger.events.happened();
    }
  }

  /** Effect and offset in one step, and only as the partition's owner. */
  apply(batch: RecordBatch, records: readonly ReadRecord[] = batch.records): Promise<bigint> {
    const next = records[records.length - 1]!.offset + 1n;
    if (!batch.isLive()) return Promise.reject(new Error('not live'));
    this.ledger.applied.push(...records);
    this.ledger.offsets.set(batch.partition, next);
    return Promise.resolve(next);
  }

  private noteOverlap(batch: RecordBatch): void {
    const before = this.ledger.latest.get(batch.partition);
    if (before && before.owner !== this && before.batch.isLive() && batch.isLive()) {
      this.ledger.overlaps.push(`partition ${batch.partition} at offset ${batch.records[0]!.offset}`);
    }
    this.ledger.latest.set(batch.partition, { owner: this, batch });
  }
}
