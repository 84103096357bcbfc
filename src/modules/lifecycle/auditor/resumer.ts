import { makeContext } from '../../../platform/context/op-context.js';
import type { BackgroundTx, BackgroundWork } from '../../../platform/database/unit-of-work.js';
import type { EventLog } from '../../../platform/event-log/event-log.js';
import { type LoopLog, WorkerLoop } from '../../../platform/worker/loop.js';
import { wakeRelay } from '../../outbox/contract/append-changes.js';
import type { OutboxKey } from '../../outbox/contract/queue-control.js';
import { recordActs } from '../../outbox/contract/record-acts.js';
import { actFor, type LogRanges } from '../domain/resume-act.js';
import {
  finishResumption,
  lockResumption,
  type RequestedResumption,
  type ResumptionOutcome,
  type Subject,
  takeResumption,
  waitingResumption,
} from '../persistence/resumption-store.js';
import { forgetStallsOf, rememberStalls } from '../persistence/stall-store.js';
import { keysOfRequest, openEvents, type Reader } from '../persistence/standing-store.js';
import { behindLost, carryOut, type Resumable } from './carry-out.js';
import { rangesOf } from './log-ranges.js';

const EVERY_MS = 1_000;

/** Configuration of the resumer; each names the environment variable it comes from. */
export interface ResumerOptions extends Reader {
  /** LIFECYCLE_PUBLISHED_STALL_MS: how long after it was published again an event may not be applied. */
  readonly publishedStallMs: number;
}

/**
 * Does what operators ask for: goes on from the last checkpoint of every event that is not settled, of all keys that the subject
 * concerns. Act, outcome and audit row are one transaction. Any number of workers run one; each takes a request of its own.
 */
export class Resumer {
  readonly loop: WorkerLoop;

  constructor(
    private readonly work: BackgroundWork,
    private readonly log: EventLog,
    private readonly options: ResumerOptions,
    sink: LoopLog,
  ) {
    this.loop = new WorkerLoop(
      { name: 'lifecycle.resumptions', intervalMs: EVERY_MS },
      () => this.next(),
      sink,
    );
  }

  /** What a resumption would do now; changes nothing. */
  async preview(tenantId: string, subject: Subject): Promise<ResumptionOutcome> {
    const ranges = await rangesOf(this.log, this.options.topic);
    return this.work.run('lifecycle.preview_resumption', async (tx) =>
      previewOf((await this.plan(tx, tenantId, subject, ranges)).all),
    );
  }

  /** Does what was asked for, unless a worker has done it already, and answers its outcome. */
  async finish(tenantId: string, id: string): Promise<ResumptionOutcome> {
    const ranges = await rangesOf(this.log, this.options.topic);
    return this.work.run('lifecycle.resume', async (tx) => {
      const asked = await lockResumption(tx, tenantId, id);
      return asked.outcome ?? this.resume(tx, asked, ranges);
    });
  }

  private async next(): Promise<boolean> {
    if (!(await waitingResumption(this.work))) return false;
    const ranges = await rangesOf(this.log, this.options.topic);
    const found = await this.work.run('lifecycle.resume', async (tx) => {
      const asked = await takeResumption(tx);
      if (asked) await this.resume(tx, asked, ranges);
      return asked !== undefined;
    });
    if (found) wakeRelay();
    return found;
  }

  private async resume(
    tx: BackgroundTx,
    asked: RequestedResumption,
    ranges: LogRanges,
  ): Promise<ResumptionOutcome> {
    const subject = { type: asked.subjectType, id: asked.subjectId };
    const { keys, all } = await this.plan(tx, asked.tenantId, subject, ranges);
    const { waiting } = previewOf(all);
    await forgetStallsOf(tx, keys);
    // Looked at again, should the log lose them once more: the auditor's cursor is past them.
    const again = behindLost(all).map((event) => ({
      ...event,
      state: 'PUBLISHED' as const,
      since: event.occurredAt,
    }));
    await rememberStalls(tx, again, this.options.publishedStallMs);
    const done = await carryOut(tx, all);
    const outcome = {
      open: all.length,
      released: done.RELEASE,
      publishedAgain: done.PUBLISH_AGAIN,
      replayed: done.REPLAY,
      woken: done.WAKE,
      waiting,
    };
    await finishResumption(tx, asked, outcome);
    await this.record(tx, asked, outcome);
    return outcome;
  }

  private async plan(
    tx: BackgroundTx,
    tenantId: string,
    { type, id }: Subject,
    ranges: LogRanges,
  ): Promise<{ readonly keys: readonly OutboxKey[]; readonly all: readonly Resumable[] }> {
    const keys = type === 'request' ? await keysOfRequest(tx, tenantId, id) : [{ tenantId, aggregateId: id }];
    const open = await openEvents(tx, this.options, keys);
    return { keys, all: open.map((event) => ({ event, act: actFor(event, ranges) })) };
  }

  private record(tx: BackgroundTx, asked: RequestedResumption, outcome: ResumptionOutcome): Promise<void> {
    const { tenantId, subjectType, subjectId, reason, actor, source, ip, correlationId } = asked;
    const ctx = makeContext({ tenantId, subject: actor, permissions: [], source, correlationId, ip });
    const act = { tenantId, action: 'lifecycle.resumed', resourceType: subjectType, resourceId: subjectId };
    return recordActs(tx, ctx, [{ ...act, changes: { reason, ...outcome } }]);
  }
}

function previewOf(all: readonly Resumable[]): ResumptionOutcome {
  const count = (act: Resumable['act']): number => all.filter((one) => one.act === act).length;
  return {
    open: all.length,
    released: count('RELEASE'),
    publishedAgain: behindLost(all).length,
    replayed: count('REPLAY'),
    woken: count('WAKE'),
    waiting: count(null),
  };
}
