import type { Projectors } from '../../src/modules/consumer/contract/projector.js';
import type { BadRecord, DecodedRecord, GoodRecord } from '../../src/modules/consumer/domain/decode.js';
import {
  type BatchPlan,
  identityOf,
  type KeyState,
  keyOf,
  type LetterState,
  planBatch,
} from '../../src/modules/consumer/domain/plan-batch.js';
import { bury, endReplays } from '../../src/modules/consumer/persistence/dead-letter-store.js';
import { FencedError } from '../../src/modules/consumer/persistence/fenced-error.js';
import {
  lockKeys,
  readKeyStates,
  readLetters,
  recordApplied,
} from '../../src/modules/consumer/persistence/inbox-store.js';
import type { OffsetStore, PartitionClaim } from '../../src/modules/consumer/persistence/offset-store.js';
import { promoteParked } from '../../src/modules/consumer/persistence/replay-store.js';
import { BatchApplier } from '../../src/modules/consumer/processing/batch-applier.js';
import { kindOf } from '../../src/modules/consumer/processing/failures.js';
import type { BackgroundTx, BackgroundWork } from '../../src/platform/database/unit-of-work.js';
import type { PlantedBug } from './planted-bug.js';
import { consumerStatements, EFFECT, moveOffset, raiseMark, writeInbox } from './consumer-statements.js';
import { pgError, refOf } from './database.js';
import type { Doubles } from './house.js';
import { OURS } from './ours.js';
import type { Statements } from './work.js';
import type { Watch } from './watch.js';

type Seen = [Map<string, KeyState>, Map<string, LetterState>];

/** The parts of applying a run, for whoever puts them together wrongly. */
class Steps {
  constructor(
    readonly work: BackgroundWork,
    private readonly offsets: OffsetStore,
    private readonly projectors: Projectors,
    private readonly claim: PartitionClaim,
    readonly run: readonly DecodedRecord[],
  ) {}

  get next(): bigint {
    return this.run.at(-1)!.record.offset + 1n;
  }

  move(tx: BackgroundTx): Promise<void> {
    return this.offsets.move(tx, this.claim, this.next);
  }

  /** What is known of the keys, held, and of the letters that the run replays. */
  async seen(tx: BackgroundTx): Promise<Seen> {
    const identities = this.run.map(identityOf).filter((one) => one !== null);
    await lockKeys(tx, identities);
    return [await readKeyStates(tx, identities), await readLetters(tx, this.run)];
  }

  /** What is known of the keys, were every event of the run the next one. */
  allNext(): Map<string, KeyState> {
    const first = new Map<string, KeyState>();
    for (const { event } of this.good()) {
      const key = keyOf(event);
      const appliedSeq = Math.min(event.keySeq - 1, first.get(key)?.appliedSeq ?? Infinity);
      first.set(key, { appliedSeq, firstOpen: null, versions: new Map() });
    }
    return first;
  }

  good(): GoodRecord[] {
    return this.run.filter((one) => one.kind === 'event');
  }

  async effects(tx: BackgroundTx, { apply }: BatchPlan): Promise<void> {
    const events = apply.map(({ event }) => event);
    if (events.length > 0) for (const projector of this.projectors.all()) await projector.apply(tx, events);
  }

  async record(tx: BackgroundTx, plan: BatchPlan): Promise<void> {
    await recordApplied(
      tx,
      plan.apply.map(({ event }) => event),
    );
  }

  async bury(tx: BackgroundTx, plan: BatchPlan): Promise<void> {
    await endReplays(tx, plan.replays);
    await bury(tx, 'group', this.claim.topic, plan.bury);
    await promoteParked(
      tx,
      plan.apply.map(({ event }) => event),
    );
  }

  /** All that ours does after the offset. */
  async all(tx: BackgroundTx, plan: BatchPlan): Promise<BatchPlan> {
    await this.effects(tx, plan);
    await this.record(tx, plan);
    await this.bury(tx, plan);
    return plan;
  }
}

const applier = (recipe: (steps: Steps) => Promise<BatchPlan>): Pick<Doubles, 'applier'> => ({
  applier: (work, offsets, projectors) => ({
    apply: async (claim, run) => {
      const steps = new Steps(work, offsets, projectors, claim, run);
      const plan = await recipe(steps);
      claim.next = steps.next;
      return { plan, promoted: 0 };
    },
    applyAll: () => Promise.reject(new Error('one by one')),
    wouldApply: (claim, run) => new BatchApplier(work, offsets, projectors, 'group').wouldApply(claim, run),
  }),
});

/** One transaction, as ours, with another plan. */
export const planning = (plan: (steps: Steps, seen: Seen) => BatchPlan) =>
  applier((steps) =>
    steps.work.run('', async (tx) => {
      await steps.move(tx);
      return steps.all(tx, plan(steps, await steps.seen(tx)));
    }),
  );

export const statements = (change: (watch: Watch) => Statements): Pick<Doubles, 'statements'> => ({
  statements: (watch) => ({ ...consumerStatements(watch), ...change(watch) }),
});

/** INSERT … ON CONFLICT DO NOTHING in the inbox. */
export const lenientInbox = statements((watch) => ({
  'consumer.record_applied': {
    run: (db, tx, [tenants, aggregates, seqs, , ids]) => {
      (tenants as string[]).forEach((tenant, i) => {
        const key = `${tenant}/${(aggregates as string[])[i]!}`;
        const seq = (seqs as number[])[i]!;
        if (!db.inbox.has(refOf(key, seq)))
          writeInbox(watch, db, tx, { key, seq, eventId: (ids as string[])[i]! });
        raiseMark(watch, db, tx, key, seq);
      });
      return [];
    },
  },
}));

export const CONSUMER_BUGS: readonly PlantedBug[] = [
  {
    name: 'offset-before-effect',
    what: 'the offset moves in a transaction of its own, before the effect',
    breaks: ['TORN'],
    options: {
      doubles: applier(async (steps) => {
        await steps.work.run('', (tx) => steps.move(tx));
        return steps.work.run('', async (tx) =>
          steps.all(tx, planBatch(steps.run, ...(await steps.seen(tx)))),
        );
      }),
    },
  },
  {
    name: 'effect-outside',
    what: 'the read model is written on a connection of its own, beside the transaction',
    breaks: ['TORN', 'TWICE'],
    options: {
      doubles: {
        projector: (house, work) => ({
          ...OURS.projector(house, work),
          apply: async (_tx, events) => {
            const keys = events.map((event) => keyOf(event));
            await work.query(EFFECT, [keys, events.map(({ keySeq }) => keySeq)]);
          },
        }),
      },
    },
  },
  {
    name: 'dead-letter-after-offset',
    what: 'dead letters are written in a second transaction',
    breaks: ['TORN'],
    options: {
      doubles: applier(async (steps) => {
        const plan = await steps.work.run('', async (tx) => {
          await steps.move(tx);
          const made = planBatch(steps.run, ...(await steps.seen(tx)));
          await steps.effects(tx, made);
          await steps.record(tx, made);
          return made;
        });
        await steps.work.run('', (tx) => steps.bury(tx, plan));
        return plan;
      }),
    },
  },
  {
    name: 'mark-without-effect',
    what: "a projector's error is swallowed, and its events count as applied",
    breaks: ['TORN', 'ATTEMPTS'],
    options: {
      doubles: applier((steps) =>
        steps.work.run('', async (tx) => {
          await steps.move(tx);
          const plan = planBatch(steps.run, ...(await steps.seen(tx)));
          await steps.effects(tx, plan).catch(() => undefined);
          await steps.record(tx, plan);
          await steps.bury(tx, plan);
          return plan;
        }),
      ),
    },
  },
  {
    name: 'inbox-without-conflict',
    what: 'the inbox is inserted ON CONFLICT DO NOTHING, and the effect is applied anyway',
    breaks: ['TWICE', 'TORN', 'GAP'],
    options: {
      doubles: {
        ...lenientInbox,
        ...planning((steps) => ({
          apply: steps.good(),
          duplicates: [],
          replays: [],
          bury: planBatch(
            steps.run.filter((one) => one.kind === 'bad'),
            new Map(),
          ).bury,
        })),
      },
    },
  },
  {
    name: 'dedupe-fails-open',
    what: 'when the look-up of the marks fails, events count as new',
    breaks: ['TWICE', 'GAP', 'INVERTED'],
    options: {
      doubles: {
        ...lenientInbox,
        applier: (work, offsets, projectors) => {
          let looks = 0;
          return applier((steps) =>
            steps.work.run('', async (tx) => {
              await steps.move(tx);
              const [states, letters] = await steps.seen(tx);
              return steps.all(
                tx,
                planBatch(steps.run, ++looks % 4 === 0 ? steps.allNext() : states, letters),
              );
            }),
          ).applier!(work, offsets, projectors);
        },
      },
    },
  },
  {
    name: 'past-the-gap',
    what: 'later events of a parked key are applied past the gap',
    breaks: ['GAP', 'TWICE'],
    options: {
      doubles: planning((steps, [states, letters]) => ({
        ...planBatch(steps.run, states, letters),
        apply: steps.good().filter(({ event }) => event.keySeq > (states.get(keyOf(event))?.appliedSeq ?? 0)),
      })),
    },
  },
  {
    name: 'poison-blocks-partition',
    what: 'an event that fails is tried for ever',
    breaks: ['STUCK', 'LOST'],
    options: { doubles: { maxRetries: Infinity } },
  },
  {
    name: 'outage-burns-the-event',
    what: "an infrastructure error is taken for the event's",
    breaks: ['BURNED', 'ATTEMPTS'],
    options: {
      doubles: applier(async (steps) => {
        try {
          return await steps.work.run('', async (tx) => {
            await steps.move(tx);
            return steps.all(tx, planBatch(steps.run, ...(await steps.seen(tx))));
          });
        } catch (error) {
          const weather = kindOf(error) === 'infrastructure' && !(error instanceof FencedError);
          throw weather && steps.good().length === steps.run.length ? pgError('23514') : error;
        }
      }),
    },
  },
  {
    name: 'retry-counts-twice',
    what: 'a retry is counted when it fails and when it begins',
    breaks: ['ATTEMPTS'],
    options: {
      doubles: planning((steps, seen) =>
        planBatch(
          steps.run.map((one) => (one.kind === 'bad' ? twice(one) : one)),
          ...seen,
        ),
      ),
    },
  },
  {
    name: 'gives-up-early',
    what: 'the first try counts as a retry',
    breaks: ['ATTEMPTS'],
    options: { doubles: { maxRetries: 1 } },
  },
  {
    name: 'no-generation-fence',
    what: 'a consumer goes on with a partition that it has lost',
    breaks: ['FENCE'],
    options: {
      doubles: statements((watch) => ({
        'consumer.move_offset': {
          locks: ([, , partition]) => [`offset ${partition as number}`],
          run: (db, tx, [, , partition, epoch, , to]) => {
            moveOffset(watch, db, tx, {
              partition: partition as number,
              epoch: epoch as number,
              to: Number(to),
            });
            return [{ epoch }];
          },
        },
      })),
    },
  },
  {
    name: 'commit-of-nothing',
    what: 'the commit of offsets commits nothing, and nobody looks',
    breaks: ['STUCK', 'LOST'],
    options: {
      doubles: statements(() => ({
        'consumer.move_offset': { run: (_db, _tx, [, , , epoch]) => [{ epoch }] },
      })),
    },
  },
  {
    name: 'brokers-offset',
    what: "reading begins at the broker's offset and not at the database's",
    breaks: ['TORN', 'GAP'],
    options: { doubles: { firstOffset: (_ours, brokers) => brokers } },
  },
];

const twice = (bad: BadRecord): BadRecord => ({ ...bad, retryCount: bad.retryCount * 2 });
