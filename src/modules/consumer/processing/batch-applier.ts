import { sqlState } from '../../../platform/database/sqlstate.js';
import type { BackgroundTx, BackgroundWork } from '../../../platform/database/unit-of-work.js';
import { metrics } from '../../../platform/observability/metrics.js';
import type { Projectors } from '../contract/projector.js';
import type { DecodedRecord } from '../domain/decode.js';
import { type BatchPlan, planBatch } from '../domain/plan-batch.js';
import { bury } from '../persistence/dead-letter-store.js';
import { readKeyStates, recordApplied } from '../persistence/inbox-store.js';
import type { OffsetStore, PartitionClaim } from '../persistence/offset-store.js';

/**
 * Applies a run of records in ONE transaction: the offset (which fences), the effects of all projectors, the checkpoints,
 * the marks of the keys and the dead letters become true together, or none of them does.
 */
export class BatchApplier {
  constructor(
    private readonly work: BackgroundWork,
    private readonly offsets: OffsetStore,
    private readonly projectors: Projectors,
    private readonly group: string,
  ) {}

  /** @throws FencedError, and whatever a projector or the database throws; the claim has moved only if this resolves */
  async apply(claim: PartitionClaim, run: readonly DecodedRecord[]): Promise<BatchPlan> {
    const next = run[run.length - 1]!.record.offset + 1n;
    const plan = await this.work.run('consumer.apply', async (tx) => {
      // The fence and the look at the keys leave together, and so do all effects: a batch costs three round trips.
      const [, states] = await Promise.all([
        this.offsets.move(tx, claim, next),
        readKeyStates(tx, identitiesOf(run)),
      ]);
      return this.effect(tx, claim, planBatch(run, states));
    });
    claim.next = next;
    metrics.applied.inc(plan.apply.length);
    metrics.duplicates.inc(plan.duplicates.length);
    for (const { code } of plan.bury) metrics.deadLetters.inc({ code });
    return plan;
  }

  private async effect(tx: BackgroundTx, claim: PartitionClaim, plan: BatchPlan): Promise<BatchPlan> {
    const events = plan.apply.map(({ event }) => event);
    const projectors = events.length > 0 ? this.projectors.all() : [];
    await allOf([
      ...projectors.map(async (projector) => projector.apply(tx, events)),
      recordApplied(tx, events),
      bury(tx, this.group, claim.topic, plan.bury),
    ]);
    return plan;
  }
}

/** What PostgreSQL answers to everything that comes after the statement that failed. */
const TRANSACTION_ABORTED = '25P02';

/**
 * Waits for all, and only then throws what failed first: were the transaction rolled back while one of them still sends, its
 * next statement would stand outside it, and its effect would stay.
 */
async function allOf(works: readonly Promise<void>[]): Promise<void> {
  const failures = (await Promise.allSettled(works))
    .filter((outcome) => outcome.status === 'rejected')
    .map(({ reason }): unknown => reason);
  if (failures.length > 0)
    throw failures.find((error) => sqlState(error) !== TRANSACTION_ABORTED) ?? failures[0];
}

const identitiesOf = (run: readonly DecodedRecord[]) =>
  run.map((one) => (one.kind === 'event' ? one.event : one.identity)).filter((one) => one !== null);
