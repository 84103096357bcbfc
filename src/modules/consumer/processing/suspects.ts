import type { GoodRecord } from '../domain/decode.js';

/** An event that failed by an error which says nothing of it by itself. */
interface Suspect {
  readonly offset: bigint;
  readonly since: number;
  tries: number;
}

/**
 * Weighs errors that are the database's fault as a rule (missing rights, statement timeouts, internal errors) against an
 * event. Evidence is that another event of the same aggregate type, which takes the same way, went through after this one
 * had failed: a missing grant stops every event alike, and then nobody is to blame, however long it lasts.
 */
export class Suspects {
  private readonly byPartition = new Map<string, Suspect>();
  /** When the last transaction began that applied an event of this type. */
  private readonly appliedAt = new Map<string, number>();

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Notes events that were applied in a transaction; to be called with the time before it began. */
  applied(records: readonly GoodRecord[], begun: number): void {
    for (const { event } of records) this.appliedAt.set(event.aggregateType, begun);
  }

  /** Whether the record has failed by itself before. */
  has(partition: string, offset: bigint): boolean {
    return this.byPartition.get(partition)?.offset === offset;
  }

  /** Notes that an event failed by itself. `tries`: so far. `othersWent`: there is evidence against it. */
  failed(
    partition: string,
    { record, event }: GoodRecord,
  ): { readonly tries: number; readonly othersWent: boolean } {
    let suspect = this.byPartition.get(partition);
    if (suspect?.offset !== record.offset) {
      suspect = { offset: record.offset, since: this.now(), tries: 0 };
      this.byPartition.set(partition, suspect);
    }
    suspect.tries += 1;
    return {
      tries: suspect.tries,
      othersWent: (this.appliedAt.get(event.aggregateType) ?? -Infinity) > suspect.since,
    };
  }

  forget(partition: string): void {
    this.byPartition.delete(partition);
  }
}
