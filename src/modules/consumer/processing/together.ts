import type { DecodedRecord } from '../domain/decode.js';
import { FencedError } from '../persistence/fenced-error.js';
import type { PartitionClaim } from '../persistence/offset-store.js';
import type { Attempt, BatchApplier, PartitionRun } from './batch-applier.js';
import { kindOf } from './failures.js';

interface Waiting extends PartitionRun {
  readonly resolve: (applied: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Applies in one transaction what several partitions hand in at once, as they do when one fetch brought it. Round trips and commits
 * are what small batches cost, and projectors of the same rows would wait for each other's commit. When it fails, nothing
 * of it stands, and each run goes its own way, on which whoever is at fault is found.
 */
export class Together {
  private readonly waiting: Waiting[] = [];

  /**
   * @param mostRecords of one transaction
   * @param applied called after each transaction with what it did, and the time before it began
   */
  constructor(
    private readonly applier: BatchApplier,
    private readonly mostRecords: number,
    private readonly now: () => number,
    private readonly applied: (attempt: Attempt, begun: number) => void,
  ) {}

  /** False: nothing of the run was applied, and it has to go by itself. @throws infrastructure errors */
  apply(claim: PartitionClaim, run: readonly DecodedRecord[]): Promise<boolean> {
    return new Promise((resolve, reject) => {
      // A tick: everything that one fetch brought is here by then, and nothing is waited for.
      if (this.waiting.length === 0) process.nextTick(() => this.leave());
      this.waiting.push({ claim, run, resolve, reject });
    });
  }

  private leave(): void {
    const waiting = this.waiting.splice(0);
    while (waiting.length > 0) {
      const group = [waiting.shift()!];
      let records = group[0]!.run.length;
      while (waiting[0] && records + waiting[0].run.length <= this.mostRecords) {
        records += waiting[0].run.length;
        group.push(waiting.shift()!);
      }
      if (group.length === 1) group[0]!.resolve(false);
      else void this.take(group);
    }
  }

  private async take(group: readonly Waiting[]): Promise<void> {
    const begun = this.now();
    try {
      this.applied(await this.applier.applyAll(group), begun);
      for (const { resolve } of group) resolve(true);
    } catch (error) {
      // Of each the same: a fence that fell for one says nothing of the others.
      const alike = kindOf(error) === 'infrastructure' && !(error instanceof FencedError);
      for (const { resolve, reject } of group)
        if (alike) reject(error);
        else resolve(false);
    }
  }
}
