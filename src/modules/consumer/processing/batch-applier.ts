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
      await this.offsets.move(tx, claim, next);
      return this.effect(tx, claim, run);
    });
    claim.next = next;
    metrics.applied.inc(plan.apply.length);
    metrics.duplicates.inc(plan.duplicates.length);
    for (const { code } of plan.bury) metrics.deadLetters.inc({ code });
    return plan;
  }

  private async effect(
    tx: BackgroundTx,
    claim: PartitionClaim,
    run: readonly DecodedRecord[],
  ): Promise<BatchPlan> {
    const identities = run
      .map((one) => (one.kind === 'event' ? one.event : one.identity))
      .filter((one) => one !== null);
    const plan = planBatch(run, await readKeyStates(tx, identities));
    const events = plan.apply.map(({ event }) => event);
    if (events.length > 0) for (const projector of this.projectors.all()) await projector.apply(tx, events);
    await recordApplied(tx, events);
    await bury(tx, this.group, claim.topic, plan.bury);
    return plan;
  }
}
