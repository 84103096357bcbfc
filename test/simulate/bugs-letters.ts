import type { Intent } from '../../src/modules/consumer/operations/dead-letter-operations.js';
import { lockKeys } from '../../src/modules/consumer/persistence/inbox-store.js';
import {
  findLetters,
  type LetterFilter,
  type LetterRow,
  readMarks,
  skipLetters,
} from '../../src/modules/consumer/persistence/letter-store.js';
import { type KeyRef, promoteParked } from '../../src/modules/consumer/persistence/replay-store.js';
import { planBatch } from '../../src/modules/consumer/domain/plan-batch.js';
import { violatedConstraint } from '../../src/platform/database/sqlstate.js';
import type { BackgroundTx } from '../../src/platform/database/unit-of-work.js';
import { conflict } from '../../src/platform/kernel/errors.js';
import { lenientInbox, planning, statements } from './bugs-consumer.js';
import type { Doubles } from './house.js';
import { OURS } from './ours.js';
import type { PlantedBug } from './planted-bug.js';

type Version = LetterRow & KeyRef & { readonly keySeq: number };

/** Skips, put together wrongly. */
const skipping = (
  skip: (tx: BackgroundTx, letter: Version, mark: number) => Promise<void>,
): { readonly doubles: Pick<Doubles, 'operations'> } => ({
  doubles: {
    operations: (work) => ({
      replay: (intent: Intent, filter: LetterFilter) => OURS.operations(work).replay(intent, filter),
      skip: (_intent: Intent, filter: LetterFilter) =>
        work
          .run('', async (tx) => {
            const letters = await findLetters(tx, filter);
            const [letter] = letters.filter((one): one is Version => one.aggregateId !== null);
            if (letter && letter.status !== 'REPLAYING' && letter.code !== 'KEY_REWIND') {
              await lockKeys(tx, [letter]);
              const [mark] = await readMarks(tx, [letter]);
              await skip(tx, letter, mark!.appliedSeq);
            }
            return { letters, promoted: 0, refused: [] };
          })
          .catch((error: unknown) => {
            // As ours tells it: whoever moved the letter meanwhile was first.
            throw violatedConstraint(error) === 'dead_letters_moves'
              ? conflict('DEAD_LETTER_MOVED', 'it was moved meanwhile')
              : error;
          }),
    }),
  },
});

const moveTo = (tx: BackgroundTx, letter: Version): Promise<void> =>
  skipLetters(tx, [letter], [{ ...letter, seq: letter.keySeq }]);

export const LETTER_BUGS: readonly PlantedBug[] = [
  {
    name: 'replay-applied-again',
    what: 'a replay is applied each time that it comes',
    breaks: ['TWICE'],
    options: {
      doubles: {
        ...lenientInbox,
        ...planning((steps, [states, letters]) => {
          const plan = planBatch(steps.run, states, letters);
          const again = plan.duplicates.filter((one) => one.kind === 'event' && one.replayOf !== null);
          return { ...plan, apply: [...plan.apply, ...again.filter((one) => one.kind === 'event')] };
        }),
      },
    },
  },
  {
    name: 'replay-leaves-letter',
    what: 'a replay is applied, and its letter is not resolved',
    breaks: ['TORN'],
    options: {
      doubles: statements(() => ({
        'consumer.end_replays': { run: (_db, _tx, [ids]) => ids as object[] },
      })),
    },
  },
  {
    name: 'replay-sent-once',
    what: 'a replay that the log lost is not published again',
    breaks: ['STUCK'],
    options: {
      doubles: statements((watch) => {
        const ours = OURS.statements(watch)['consumer.due_replays']!;
        return {
          'consumer.due_replays': {
            run: (db, tx, values) =>
              ours
                .run(db, tx, values, undefined)
                .filter(
                  (row) =>
                    db.letters.get((row as { deadLetterId: string }).deadLetterId)!.replayPublishedAt ===
                    null,
                ),
          },
        };
      }),
    },
  },
  {
    name: 'parked-without-a-look',
    what: "whoever parks does not hold the key's mark, which may move meanwhile",
    breaks: ['STUCK'],
    options: {
      doubles: statements((watch) => {
        const ours = OURS.statements(watch)['consumer.lock_keys']!;
        return { 'consumer.lock_keys': { run: (...how) => ours.run(...how) } };
      }),
    },
  },
  {
    name: 'nobody-promotes',
    what: 'what is parked behind a gap that fills is not sent off',
    breaks: ['STUCK'],
    options: { doubles: statements(() => ({ 'consumer.promote_parked': { run: () => [] } })) },
  },
  {
    name: 'skip-out-of-turn',
    what: 'a skip moves the mark to its version, whatever stands before it',
    breaks: ['GAP'],
    options: skipping(async (tx, letter) => {
      await moveTo(tx, letter);
      await promoteParked(tx, [letter]);
    }),
  },
  {
    name: 'skip-leaves-parked',
    what: 'a skip leaves parked what could go on behind it',
    breaks: ['STUCK'],
    options: skipping(async (tx, letter, mark) => {
      if (letter.keySeq === mark + 1) await moveTo(tx, letter);
    }),
  },
  {
    name: 'skip-without-marker',
    what: 'a skip settles the letter and leaves the mark before it',
    breaks: ['TORN'],
    options: skipping(async (tx, letter, mark) => {
      if (letter.keySeq === mark + 1) await skipLetters(tx, [letter], []);
    }),
  },
  {
    name: 'impostor-taken-for-duplicate',
    what: 'another event under a version that is taken is dropped as a duplicate',
    breaks: ['TORN'],
    options: {
      doubles: planning((steps, seen) => {
        const plan = planBatch(steps.run, ...seen);
        return { ...plan, bury: plan.bury.filter(({ code }) => code !== 'KEY_REWIND') };
      }),
    },
  },
];
