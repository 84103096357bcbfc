import { createHash } from 'node:crypto';
import type { OpContext } from '../../../platform/context/op-context.js';
import { violatedConstraint } from '../../../platform/database/sqlstate.js';
import type { BackgroundTx, BackgroundWork } from '../../../platform/database/unit-of-work.js';
import { conflict, DomainError, notFound } from '../../../platform/kernel/errors.js';
import { tenantId as asTenantId } from '../../../platform/kernel/ids.js';
import type { Changes } from '../../outbox/contract/append-changes.js';
import { recordActs } from '../../outbox/contract/record-acts.js';
import { decodeRecord } from '../domain/decode.js';
import { keyOf } from '../domain/plan-batch.js';
import { planSkips, type SkippableLetter, type SkipPlan } from '../domain/plan-skips.js';
import { objectOf } from '../domain/record-value.js';
import { lockKeys } from '../persistence/inbox-store.js';
import {
  findLetters,
  type LetterDetail,
  letterDetail,
  type LetterFilter,
  type LetterRow,
  lettersAround,
  lettersByRef,
  lettersOfOurs,
  patchLetter,
  readMarks,
  skipLetters,
} from '../persistence/letter-store.js';
import { type KeyRef, promoteParked, requestReplays } from '../persistence/replay-store.js';

/** Who acts, why, and whether it is only to be shown what would be done. */
export interface Intent {
  readonly ctx: OpContext;
  readonly reason: string;
  readonly dryRun: boolean;
}

/** A letter, whole, with the unresolved ones of its key around it. */
export interface InspectedLetter extends LetterDetail {
  readonly before: readonly LetterRow[];
  readonly behind: readonly LetterRow[];
}

/** What a skip did: the letters as they are now, and those that it may not skip. */
export interface Skipped {
  readonly letters: readonly LetterRow[];
  /** Parked letters that go on because of it. */
  readonly promoted: number;
  readonly refused: SkipPlan['refused'];
}

/** Letters of a key that are shown around one. */
const AROUND = 1_000;

const sha256 = (value: Buffer | null): string | null =>
  value && createHash('sha256').update(value).digest('hex');

/** Undoes a dry run. */
class Undone extends Error {
  constructor(readonly outcome: unknown) {
    super('a dry run');
  }
}

/** What operators do with dead letters, on the database alone: a worker publishes what is to be replayed. */
export class DeadLetterOperations {
  constructor(private readonly work: BackgroundWork) {}

  /** The letters that a filter means, oldest first. */
  list(filter: LetterFilter): Promise<LetterRow[]> {
    return this.work.run('consumer.list_letters', (tx) => findLetters(tx, filter));
  }

  /** @throws DomainError DEAD_LETTER_NOT_FOUND */
  inspect(deadLetterId: string): Promise<InspectedLetter> {
    return this.work.run('consumer.inspect_letter', async (tx) => {
      const letter = await existing(tx, deadLetterId);
      const others = letter.aggregateId === null ? [] : await lettersAround(tx, letter, AROUND);
      return {
        ...letter,
        before: others.filter(({ keySeq }) => keySeq! <= letter.keySeq!),
        behind: others.filter(({ keySeq }) => keySeq! > letter.keySeq!),
      };
    });
  }

  /**
   * Gives a letter's event other data, checked as an incoming event is; its id, type, version and key stay. The first
   * payload is kept.
   * @param change makes the new data of the present ones
   * @throws DomainError DEAD_LETTER_NOT_FOUND; DEAD_LETTER_SETTLED when it is on its way or done; DEAD_LETTER_UNREADABLE when
   * it is no event whose data could be mended; the failure code that the event would have with these data
   */
  patch(
    { ctx, reason, dryRun }: Intent,
    deadLetterId: string,
    change: (data: Record<string, unknown>) => Record<string, unknown>,
  ): Promise<{ readonly letter: LetterRow; readonly data: Record<string, unknown> }> {
    return this.perform('consumer.patch_letter', dryRun, async (tx) => {
      const letter = await existing(tx, deadLetterId);
      if (letter.status !== 'DEAD' && letter.status !== 'PARKED')
        throw conflict('DEAD_LETTER_SETTLED', `The dead letter is ${letter.status}.`);
      const event = objectOf(letter.recordValue);
      if (letter.eventId === null || event === null)
        throw conflict('DEAD_LETTER_UNREADABLE', 'Its envelope is at fault, and not its data.');
      const data = change(event['data'] as Record<string, unknown>);
      const value = Buffer.from(JSON.stringify({ ...event, data }));
      const decoded = decodeRecord({
        partition: letter.partition,
        offset: BigInt(letter.offset),
        key: letter.recordKey,
        value,
        headers: letter.recordHeaders,
      });
      if (decoded.kind === 'bad') throw new DomainError(decoded.code, 'VALIDATION', `${decoded.cause}.`);
      await patchLetter(tx, letter, value);
      await audit(tx, ctx, 'dead_letter.patched', [letter], () => ({
        reason,
        payloadSha256: [sha256(letter.recordValue), sha256(value)],
      }));
      return { letter, data };
    });
  }

  /** Sends letters off to be replayed, with those before them; answers all that are on their way now. */
  replay({ ctx, reason, dryRun }: Intent, filter: LetterFilter): Promise<LetterRow[]> {
    return this.perform('consumer.replay_letters', dryRun, async (tx) => {
      const asked = await findLetters(tx, filter);
      const letters = await lettersByRef(tx, await requestReplays(tx, asked));
      await audit(tx, ctx, 'dead_letter.replay_requested', letters, ({ replayCount }) => ({
        reason,
        replay: replayCount,
      }));
      return letters;
    });
  }

  /** Settles letters without effect, each at its turn; what is parked behind them goes on. */
  skip({ ctx, reason, dryRun }: Intent, filter: LetterFilter): Promise<Skipped> {
    return this.perform('consumer.skip_letters', dryRun, async (tx) => {
      const found = await findLetters(tx, filter);
      const ofKeys = found.filter((letter): letter is LetterRow & KeyRef => letter.aggregateId !== null);
      await lockKeys(tx, ofKeys);
      // Looked at again: a replay may have been asked for before the marks were ours.
      const letters = await lettersByRef(tx, found);
      const { skip, marks, refused } = await this.planOf(tx, letters);
      const skipped = letters.filter(({ deadLetterId }) => skip.includes(deadLetterId));
      const keys = ofKeys.filter((letter) => marks.has(keyOf(letter)));
      await skipLetters(
        tx,
        skipped,
        keys.map(({ tenantId, aggregateId }) => ({
          tenantId,
          aggregateId,
          seq: marks.get(keyOf({ tenantId, aggregateId }))!,
        })),
      );
      const promoted = await promoteParked(tx, keys);
      const now = await lettersByRef(tx, skipped);
      await audit(tx, ctx, 'dead_letter.skipped', skipped, ({ status, aggregateId, keySeq }) => ({
        reason,
        status: [status, 'SKIPPED'],
        aggregateId,
        keySeq,
      }));
      return { letters: now, promoted: promoted.length, refused };
    });
  }

  private async planOf(tx: BackgroundTx, letters: readonly LetterRow[]): Promise<SkipPlan> {
    const ours = await lettersOfOurs(tx, letters);
    const skippable = letters.map(
      ({ deadLetterId, tenantId, aggregateId, keySeq, status }): SkippableLetter => ({
        deadLetterId,
        status,
        ours: ours.has(deadLetterId),
        version: aggregateId === null || keySeq === null ? null : { tenantId, aggregateId, keySeq },
      }),
    );
    const marks = await readMarks(
      tx,
      skippable.flatMap(({ version }) => version ?? []),
    );
    return planSkips(skippable, new Map(marks.map((mark) => [keyOf(mark), mark.appliedSeq])));
  }

  /** Runs an act; as a dry run it is done, looked at, and undone. @throws DomainError DEAD_LETTER_MOVED */
  private async perform<T>(name: string, dryRun: boolean, act: (tx: BackgroundTx) => Promise<T>): Promise<T> {
    try {
      return await this.work.run(name, async (tx) => {
        const outcome = await act(tx);
        if (dryRun) throw new Undone(outcome);
        return outcome;
      });
    } catch (error) {
      if (error instanceof Undone) return error.outcome as T;
      if (violatedConstraint(error) === 'dead_letters_moves')
        throw conflict(
          'DEAD_LETTER_MOVED',
          'Somebody else moved one of them meanwhile: nothing was changed.',
        );
      throw error;
    }
  }
}

async function existing(tx: BackgroundTx, deadLetterId: string): Promise<LetterDetail> {
  const letter = await letterDetail(tx, deadLetterId);
  if (!letter) throw notFound('dead letter');
  return letter;
}

const audit = (
  tx: BackgroundTx,
  ctx: OpContext,
  action: string,
  letters: readonly LetterRow[],
  changesOf: (letter: LetterRow) => Changes,
): Promise<void> =>
  recordActs(
    tx,
    ctx,
    letters.map((letter) => ({
      tenantId: asTenantId(letter.tenantId),
      action,
      resourceType: 'dead_letter',
      resourceId: letter.deadLetterId,
      changes: changesOf(letter),
    })),
  );
