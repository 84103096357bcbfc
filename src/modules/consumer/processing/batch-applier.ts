import { sqlState } from '../../../platform/database/sqlstate.js';
import type { BackgroundTx, BackgroundWork } from '../../../platform/database/unit-of-work.js';
import { metrics } from '../../../platform/observability/metrics.js';
import type { Projectors } from '../contract/projector.js';
import type { DecodedRecord } from '../domain/decode.js';
import type { Identity } from '../domain/incoming.js';
import {
  type BatchPlan,
  identityOf,
  type KeyState,
  type LetterState,
  planBatch,
} from '../domain/plan-batch.js';
import { bury, endReplays } from '../persistence/dead-letter-store.js';
import { lockKeys, readKeyStates, readLetters, recordApplied } from '../persistence/inbox-store.js';
import { kindOf } from './failures.js';
import type { OffsetStore, PartitionClaim } from '../persistence/offset-store.js';
import { promoteParked } from '../persistence/replay-store.js';

/** Records of a partition, one after the other, and who holds it. */
export interface PartitionRun {
  readonly claim: PartitionClaim;
  readonly run: readonly DecodedRecord[];
}

/**
 * Applies runs of records in ONE transaction: the offsets (which fence), the effects of all projectors, the checkpoints,
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
  apply(claim: PartitionClaim, run: readonly DecodedRecord[]): Promise<Attempt> {
    return this.applyAll([{ claim, run }]);
  }

  /** As `apply`, of several partitions of one topic. */
  async applyAll(runs: readonly PartitionRun[]): Promise<Attempt> {
    // Given up for want of an answer it may be committed all the same: the next try finds the offset moved, and takes that for its own.
    const attempt = await this.work.run('consumer.apply', (tx) => this.attempt(tx, runs));
    const { plan } = attempt;
    for (const one of runs) one.claim.next = endOf(one);
    metrics.applied.inc(plan.apply.length);
    metrics.duplicates.inc(plan.duplicates.length);
    for (const { code } of plan.bury) metrics.deadLetters.inc({ code });
    for (const end of plan.replays) {
      if (end.outcome === 'RESOLVED') metrics.replayed.inc();
      if (end.outcome === 'FAILED') metrics.deadLetters.inc({ code: end.code });
    }
    return attempt;
  }

  /** Whether something of the run would be applied just now; nothing stays of it. @throws infrastructure errors */
  async wouldApply(claim: PartitionClaim, run: readonly DecodedRecord[]): Promise<boolean> {
    let applied = 0;
    const undone = new Error('tried, and undone');
    try {
      await this.work.run('consumer.try', async (tx) => {
        applied = (await this.attempt(tx, [{ claim, run }])).plan.apply.length;
        throw undone;
      });
    } catch (error) {
      if (error !== undone && kindOf(error) === 'infrastructure') throw error;
      if (error !== undone) return false;
    }
    return applied > 0;
  }

  private async attempt(tx: BackgroundTx, runs: readonly PartitionRun[]): Promise<Attempt> {
    const run = runs.flatMap((one) => one.run);
    const look = (): Promise<[Map<string, KeyState>, Map<string, LetterState>]> =>
      Promise.all([readKeyStates(tx, identitiesOf(run)), readLetters(tx, run)]);
    // The fences and the look at the keys leave together, and so do all effects: a batch costs three round trips.
    const moves = runs.map((one) => this.offsets.move(tx, one.claim, endOf(one)));
    const [seen] = await Promise.all([look(), ...moves]);
    let plan = planBatch(run, ...seen);
    if (plan.bury.length + plan.replays.length > 0) {
      const [, held] = await Promise.all([lockKeys(tx, identitiesOf(run)), look()]);
      plan = planBatch(run, ...held);
    }
    return { plan, promoted: await this.effect(tx, runs[0]!.claim.topic, plan) };
  }

  /** Answers how many parked letters can go on now. */
  private async effect(tx: BackgroundTx, topic: string, plan: BatchPlan): Promise<number> {
    const events = plan.apply.map(({ event }) => event);
    const projectors = events.length > 0 ? this.projectors.all() : [];
    let promoted = 0;
    await allOf([
      ...projectors.map(async (projector) => projector.apply(tx, events)),
      recordApplied(tx, events),
      endReplays(tx, plan.replays),
      bury(tx, this.group, topic, plan.bury)
        .then(() => promoteParked(tx, events))
        .then((letters) => void (promoted = letters.length)),
    ]);
    return promoted;
  }
}

/** What an attempt decided, and how many parked letters it sent off. */
export interface Attempt {
  readonly plan: BatchPlan;
  readonly promoted: number;
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

const endOf = ({ run }: PartitionRun): bigint => run[run.length - 1]!.record.offset + 1n;

const identitiesOf = (run: readonly DecodedRecord[]): Identity[] =>
  run.map(identityOf).filter((identity) => identity !== null);
