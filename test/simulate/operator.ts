import type { Intent } from '../../src/modules/consumer/operations/dead-letter-operations.js';
import type { BackgroundWork } from '../../src/platform/database/unit-of-work.js';
import { DomainError } from '../../src/platform/kernel/errors.js';
import { isOpen, type Letter, refOf } from './database.js';
import { type House, loop } from './house.js';
import { heads } from './letter-statements.js';
import { isIncurable } from './watch.js';
import { SimulatedWork } from './work.js';
import { Proc } from './world.js';

const EVERY_MS = 100;

type Act = 'replay' | 'skip' | 'leave';

const INTENT = {
  ctx: { actor: { subject: 'operator' }, source: 'cli', ip: null, correlationId: null },
  reason: 'simulated',
  dryRun: false,
} as unknown as Intent;

/**
 * Replays and skips dead letters with what `tartware dlq` calls. In the storm at random, in turn or out of it; in calm what
 * can be mended is replayed, and of the rest some are tried once more, or given up, or left.
 */
class Operator {
  /** What is still to be done with a letter that nothing mends. */
  private readonly verdicts = new Map<string, Act>();

  constructor(private readonly house: House) {}

  /** The next letter to do something with. */
  next(): { readonly letter: Letter; readonly act: Act } | null {
    const { world, db } = this.house;
    if (world.calm) return this.todo();
    const inTurn = world.random.chance(0.5);
    const open = inTurn ? heads(db) : [...db.letters.values()].filter(isOpen);
    if (open.length === 0 || world.random.chance(0.4)) return null;
    return { letter: world.random.pick(open), act: world.random.chance(0.4) ? 'skip' : 'replay' };
  }

  /** In calm. Null: everything is as it may stay. */
  todo(): { readonly letter: Letter; readonly act: Act } | null {
    for (const letter of heads(this.house.db)) {
      if (letter.status !== 'DEAD') continue;
      const act = this.verdict(letter);
      if (act !== 'leave') return { letter, act };
    }
    return null;
  }

  done({ id }: Letter): void {
    if (this.house.world.calm && this.verdicts.has(id)) this.verdicts.set(id, 'leave');
  }

  private verdict({ id, key, seq, eventId }: Letter): Act {
    const event = key === null ? undefined : this.house.watch.truth.get(refOf(key, seq!));
    if (event?.eventId === eventId && !isIncurable(event)) return 'replay';
    if (!this.verdicts.has(id))
      this.verdicts.set(id, this.house.world.random.pick(['replay', 'skip', 'leave', 'leave']));
    return this.verdicts.get(id)!;
  }
}

/** Starts an operator; what is left to do keeps the house from being quiet. */
export function startOperator(house: House, name: string): void {
  const { world, db, watch, doubles } = house;
  const proc = new Proc(name, 0);
  const operations = doubles.operations(
    new SimulatedWork(proc, db, doubles.statements(watch)) as unknown as BackgroundWork,
  );
  const operator = new Operator(house);
  watch.undecided.push(() => operator.todo() !== null);
  void loop(house, proc, EVERY_MS, async () => {
    const next = operator.next();
    if (!next) return false;
    const { letter, act } = next;
    const filter = {
      deadLetterId: letter.id,
      statuses: ['DEAD', 'PARKED', 'REPLAYING'] as const,
      limit: 1,
    };
    world.note(
      () => `${name}: ${act} ${letter.key === null ? 'a stranger’s' : refOf(letter.key, letter.seq!)}`,
    );
    try {
      if (act === 'replay') await operations.replay(INTENT, filter);
      else if ((await operations.skip(INTENT, filter)).refused.length > 0) world.bit('skips refused');
    } catch (error) {
      // Another operator was quicker.
      if (!(error instanceof DomainError) || error.code !== 'DEAD_LETTER_MOVED') throw error;
      world.bit('acts too late');
    }
    operator.done(letter);
    return false;
  });
}
