import { sql } from '../../../platform/database/sql.js';
import type { BackgroundTx, BackgroundWork } from '../../../platform/database/unit-of-work.js';
import { FencedError } from './fenced-error.js';

/** A partition as one consumer holds it: `next` is the offset it has committed up to; whoever claims after it has a higher `epoch`. */
export interface PartitionClaim {
  readonly topic: string;
  readonly partition: number;
  readonly epoch: number;
  next: bigint;
}

const CLAIM = sql(
  'consumer.claim_partition',
  `INSERT INTO reservation_event_offsets AS o (consumer_group, topic, partition, epoch, owner) VALUES ($1, $2, $3, 1, $4)
   ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET epoch = o.epoch + 1, owner = excluded.owner
   RETURNING epoch, next_offset::text AS next, committed_at IS NULL AS fresh`,
);
const LOOK = sql(
  'consumer.look_at_partition',
  `SELECT epoch, next_offset::text AS next FROM reservation_event_offsets
    WHERE consumer_group = $1 AND topic = $2 AND partition = $3`,
);
const MOVE = sql(
  'consumer.move_offset',
  `UPDATE reservation_event_offsets SET next_offset = $6, committed_at = clock_timestamp()
    WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND epoch = $4 AND next_offset = $5
   RETURNING epoch`,
);

/** How far the consumer group is: the truth, of which the broker's offsets are a cache. */
export class OffsetStore {
  constructor(
    private readonly work: BackgroundWork,
    private readonly group: string,
    private readonly owner: string,
  ) {}

  /** Takes the partition: from now on whoever held it before can commit nothing. `fresh`: nothing was ever read of it. */
  async claim(
    topic: string,
    partition: number,
  ): Promise<{ readonly claim: PartitionClaim; readonly fresh: boolean }> {
    const [row] = await this.work.query<{ epoch: number; next: string; fresh: boolean }>(CLAIM, [
      this.group,
      topic,
      partition,
      this.owner,
    ]);
    return { claim: { topic, partition, epoch: row!.epoch, next: BigInt(row!.next) }, fresh: row!.fresh };
  }

  /** The committed offset, if the claim still stands; else null. */
  async standing(claim: PartitionClaim): Promise<bigint | null> {
    const [row] = await this.work.query<{ epoch: number; next: string }>(LOOK, [
      this.group,
      claim.topic,
      claim.partition,
    ]);
    return row && row.epoch === claim.epoch ? BigInt(row.next) : null;
  }

  /**
   * Moves the offset in the transaction of the effect, and locks its row: first statement of every such transaction.
   * @throws FencedError
   */
  async move(tx: BackgroundTx, claim: PartitionClaim, next: bigint): Promise<void> {
    const rows = await tx.query(MOVE, [
      this.group,
      claim.topic,
      claim.partition,
      claim.epoch,
      claim.next.toString(),
      next.toString(),
    ]);
    if (rows.length === 0)
      throw new FencedError(
        `${claim.topic}/${claim.partition}: epoch ${claim.epoch} at offset ${claim.next} no longer stands`,
      );
  }
}
