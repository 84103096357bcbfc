import { makeContext } from '../../../platform/context/op-context.js';
import type { BackgroundTx, BackgroundWork } from '../../../platform/database/unit-of-work.js';
import type { EventLog } from '../../../platform/event-log/event-log.js';
import { PLATFORM_TENANT_ID, tenantId } from '../../../platform/kernel/ids.js';
import { metrics } from '../../../platform/observability/metrics.js';
import { type LoopLog, WorkerLoop } from '../../../platform/worker/loop.js';
import { wakeRelay } from '../../outbox/contract/append-changes.js';
import { FIRST_TENANT } from '../../outbox/contract/queue-heads.js';
import { recordActs } from '../../outbox/contract/record-acts.js';
import { autoActFor, isLost, type LogRanges } from '../domain/resume-act.js';
import {
  type Cursor,
  dueStalls,
  forgetMoved,
  heldStalls,
  lookedAt,
  type Looked,
  MAX_STALLS,
  moveCursor,
  parkedStalls,
  persistedStalls,
  publishedBehind,
  readCursors,
  rememberStalls,
  type Stall,
  type StallState,
  takeTurn,
} from '../persistence/stall-store.js';
import { openEvents, type OpenEvent, type Reader } from '../persistence/standing-store.js';
import { carryOut, nameOf } from './carry-out.js';
import { rangesOf } from './log-ranges.js';

/** Configuration of the auditor; each names the environment variable it comes from. */
export interface AuditorOptions extends Reader {
  /** LIFECYCLE_PERSISTED_STALL_MS */
  readonly persistedStallMs: number;
  /** LIFECYCLE_PUBLISHED_STALL_MS */
  readonly publishedStallMs: number;
  /** LIFECYCLE_MAX_RESUMES */
  readonly maxResumes: number;
}

/** Where alerts go: an object a line, with a code. Nest's Logger fits as it is. */
export interface AlertSink extends LoopLog {
  error(line: unknown): void;
}

/** What one look did. */
interface Look {
  readonly found: readonly Stall[];
  readonly looked: readonly Looked[];
  /** The tenant that the next look at the queue begins behind; null: the first. */
  readonly further: string | null;
  readonly more: boolean;
}

/** Receipts of one partition, new stalls of a kind, and due ones that one look takes. */
const RECEIPTS = 2_000;
const FINDS = 500;
const DUE = 500;
/** Stalls that one alert names. */
const NAMED = 10;

/**
 * Finds what stands still and makes it go on, a bounded number of times each: events that the relay doesn't publish, published
 * ones that the log has lost, parked dead letters that nothing stands before. What a person has parked, and what was given up, is
 * remembered and told, and left alone. Woken by @nestjs/schedule. Any number of workers run one; a lock in the database gives one of them the turn.
 * Metrics: lifecycle_resumed_total, lifecycle_audit_duration_seconds.
 */
export class FlowAuditor {
  readonly loop: WorkerLoop;
  /** Where the next look at the queue begins: no tenant is overlooked for ever because of those before it. */
  private from = FIRST_TENANT;

  constructor(
    private readonly work: BackgroundWork,
    private readonly log: EventLog,
    private readonly options: AuditorOptions,
    private readonly sink: AlertSink,
  ) {
    this.loop = new WorkerLoop({ name: 'lifecycle.auditor', intervalMs: null }, () => this.look(), sink);
  }

  private async look(): Promise<boolean> {
    const observed = metrics.auditSeconds.startTimer();
    const ranges = await rangesOf(this.log, this.options.topic);
    const look = await this.work.run('lifecycle.audit', (tx) => this.audit(tx, ranges));
    if (look === null) return false;
    observed();
    this.from = look.further ?? FIRST_TENANT;
    for (const { state, act } of look.looked) if (act !== null) metrics.resumed.inc({ state });
    if (look.looked.some(({ act }) => act !== null)) wakeRelay();
    this.alert('LIFECYCLE_STALLED', look.found);
    this.alert(
      'LIFECYCLE_RESUMES_EXHAUSTED',
      look.looked.filter(({ exhausted }) => exhausted),
    );
    return look.more;
  }

  /** Null: it is another auditor's turn. */
  private async audit(tx: BackgroundTx, ranges: LogRanges): Promise<Look | null> {
    const before = await takeTurn(tx, this.options.publishedStallMs);
    if (before === null) return null;
    const room = MAX_STALLS - (await forgetMoved(tx));
    const queued = await persistedStalls(tx, this.from, this.options.persistedStallMs);
    const published = ranges === null || room <= 0 ? NOTHING : await this.published(tx, ranges, before, room);
    const found = room <= 0 ? [] : [...queued.stalls, ...(await this.held(tx)), ...published.stalls];
    return {
      found: await rememberStalls(tx, found),
      looked: await this.resume(tx, ranges),
      further: queued.further,
      more: published.more,
    };
  }

  private async held(tx: BackgroundTx): Promise<Stall[]> {
    const parked = await parkedStalls(tx, this.options.publishedStallMs, FINDS);
    return [...(await heldStalls(tx, FINDS)), ...parked];
  }

  private async published(
    tx: BackgroundTx,
    ranges: NonNullable<LogRanges>,
    before: string,
    room: number,
  ): Promise<{ readonly stalls: Stall[]; readonly more: boolean }> {
    const stalls: Stall[] = [];
    let more = false;
    for (const cursor of await readCursors(tx, this.options, ranges.length)) {
      const { n, until, unapplied } = await publishedBehind(tx, cursor, before, RECEIPTS);
      if (until === null) continue;
      const { lost, stop } = sift(unapplied, cursor, ranges, room - stalls.length);
      stalls.push(...lost);
      // What the consumer has still before it is told of and waited for: the next look begins with it.
      if (stop?.waiting) stalls.push(stop.event);
      const to = stop ? { time: stop.event.since, before: true } : { time: until, before: false };
      await moveCursor(tx, this.options, cursor.partition, to);
      more ||= n >= RECEIPTS && !stop;
    }
    return { stalls, more };
  }

  private async resume(tx: BackgroundTx, ranges: LogRanges): Promise<Looked[]> {
    const due = await dueStalls(tx, DUE);
    const open = await openEvents(tx, this.options, due);
    const events = new Map(open.map((event) => [`${nameOf(event)}/${event.keySeq}`, event]));
    const looked = due.map((stall): Looked => {
      const event = events.get(`${nameOf(stall)}/${stall.keySeq}`);
      const act = event ? autoActFor(event, event.first, ranges) : null;
      const exhausted = act !== null && stall.tries >= this.options.maxResumes;
      return { ...stall, act: exhausted ? null : act, exhausted };
    });
    const acts = new Map(looked.map((one) => [`${nameOf(one)}/${one.keySeq}`, one]));
    const actOf = (event: OpenEvent): Looked | undefined => acts.get(`${nameOf(event)}/${event.keySeq}`);
    await carryOut(
      tx,
      open.map((event) => ({ event, act: actOf(event)?.act ?? null })),
    );
    const { persistedStallMs, publishedStallMs } = this.options;
    const afterMs = (state: StallState): number =>
      state === 'PERSISTED' ? persistedStallMs : publishedStallMs;
    await lookedAt(tx, looked, afterMs);
    await this.record(
      tx,
      open.flatMap((event) => actOf(event) ?? []),
    );
    return looked;
  }

  /** A look at a queue changes nothing that needs a record. */
  private record(tx: BackgroundTx, looked: readonly Looked[]): Promise<void> {
    const ctx = makeContext({
      tenantId: PLATFORM_TENANT_ID,
      subject: 'system:lifecycle-auditor',
      permissions: [],
      source: 'system',
    });
    return recordActs(
      tx,
      ctx,
      looked
        .filter(({ act }) => act !== null && act !== 'WAKE')
        .map(({ tenantId: tenant, aggregateId, keySeq, state, tries, act }) => ({
          tenantId: tenantId(tenant),
          action: 'lifecycle.resumed',
          resourceType: 'event_key',
          resourceId: aggregateId,
          changes: { act, keySeq, state, try: tries + 1 },
        })),
    );
  }

  /** One line a state, once a stall. */
  private alert(code: string, stalls: readonly (Stall | Looked)[]): void {
    for (const [state, those] of Map.groupBy(stalls, (stall) => stall.state))
      this.sink.error({
        code,
        state,
        count: those.length,
        events: those
          .slice(0, NAMED)
          .map(({ tenantId: tenant, aggregateId, keySeq }) => ({ tenantId: tenant, aggregateId, keySeq })),
      });
  }
}

const NOTHING = { stalls: [], more: false };

/** Parts what is lost from the first that isn't, or for which there is no room. */
function sift<T extends Stall & { readonly logOffset: number }>(
  unapplied: readonly T[],
  { partition, nextOffset }: Cursor,
  ranges: LogRanges,
  room: number,
): { readonly lost: T[]; readonly stop: { readonly event: T; readonly waiting: boolean } | null } {
  const lost: T[] = [];
  for (const event of unapplied) {
    const waiting = !isLost({ place: { partition, offset: event.logOffset }, nextOffset }, ranges);
    if (waiting || lost.length >= room) return { lost, stop: { event, waiting } };
    lost.push(event);
  }
  return { lost, stop: null };
}
