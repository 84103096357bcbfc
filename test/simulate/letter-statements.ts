import {
  type Database,
  isInTheWay,
  isOpen,
  type Letter,
  pgError,
  refOf,
  type Statement,
  type Tx,
} from './database.js';
import { isUntried, type Watch } from './watch.js';
import type { Statements } from './work.js';

export type Column<T> = readonly T[];

/** A replay that came to nothing for so long is published again. */
const REPUBLISH_AFTER_MS = 500;

/** The ways that the trigger `dead_letters_moves` lets a letter go. */
const MOVES = [
  ...['DEAD REPLAYING', 'PARKED REPLAYING', 'DEAD SKIPPED', 'PARKED SKIPPED'],
  ...['REPLAYING RESOLVED', 'REPLAYING DEAD', 'REPLAYING PARKED'],
];

export const keysOf = (tenants: unknown, aggregates: unknown): string[] =>
  (tenants as Column<string>).map((tenant, i) => `${tenant}/${(aggregates as Column<string>)[i]}`);

/** The mark of a key as a transaction sees it; undefined: there is none. */
export const markOf = (db: Database, tx: Tx, key: string): number | undefined =>
  tx.marks.get(key) ?? db.marks.get(key);

/** The letters as a transaction sees them. */
export const lettersSeen = (db: Database, tx: Tx): Letter[] =>
  tx.letters.size === 0 ? [...db.letters.values()] : [...new Map([...db.letters, ...tx.letters]).values()];

/** Changes a letter whose row is locked. */
function change(watch: Watch, db: Database, tx: Tx, before: Letter, changes: Partial<Letter>): void {
  const after = { ...before, ...changes };
  if (after.status !== before.status && !MOVES.includes(`${before.status} ${after.status}`))
    throw pgError('23514', 'dead_letters_moves');
  tx.letters.set(after.id, after);
  tx.writes.push(() => db.letters.set(after.id, after));
  tx.checks.push(() => watch.letterMoved(before, after));
}

const rowOf = ({
  id,
  tenantId,
  aggregateId,
  seq,
  eventId,
  status,
  code,
  retryCount,
  replay,
}: Letter): object => ({
  ...{ tenantId, deadLetterId: id, status, code, aggregateId, keySeq: seq, eventId },
  ...{ retryCount, replayCount: replay },
});

const inOrder = (letters: readonly Letter[]): Letter[] =>
  [...letters].sort((a, b) => {
    const [one, other] = [a.key ?? '~', b.key ?? '~'];
    return one === other ? (a.seq ?? 0) - (b.seq ?? 0) : one < other ? -1 : 1;
  });

/** What an UPDATE finds with its snapshot, waits for, and changes as far as it is still so. */
const update = (
  watch: Watch,
  look: (db: Database, tx: Tx, values: readonly unknown[]) => readonly Letter[],
  changesOf: (now: Letter, values: readonly unknown[], db: Database) => Partial<Letter> | null,
): Statement<readonly Letter[]> => ({
  look,
  locks: (_values, seen) => seen.map(({ id }) => `letter ${id}`),
  run: (db, tx, values, seen) =>
    seen.flatMap(({ id }) => {
      const now = tx.letters.get(id) ?? db.letters.get(id)!;
      const changes = changesOf(now, values, db);
      if (changes) change(watch, db, tx, now, changes);
      return changes ? [rowOf(now)] : [];
    }),
});

/** The letters that an array of ids names. */
const named =
  (at: number) =>
  (db: Database, tx: Tx, values: readonly unknown[]): Letter[] =>
    (values[at] as Column<string>).flatMap((id) => tx.letters.get(id) ?? db.letters.get(id) ?? []);

/** Parked letters of these keys that nothing dead and no gap stands before. */
function promotable(db: Database, tx: Tx, [tenants, aggregates]: readonly unknown[]): Letter[] {
  return [...new Set(keysOf(tenants, aggregates))].flatMap((key) => {
    const mark = markOf(db, tx, key) ?? 0;
    const run: Letter[] = [];
    const letters = lettersSeen(db, tx).filter(
      (one) => one.key === key && isInTheWay(one) && one.seq! > mark,
    );
    for (const letter of inOrder(letters)) {
      if (letter.seq !== mark + 1 + run.length || letter.status === 'DEAD') break;
      run.push(letter);
    }
    return run.filter(({ status }) => status === 'PARKED');
  });
}

/** Letters that are asked for, and the dead ones before them. */
function wanted(db: Database, tx: Tx, values: readonly unknown[]): Letter[] {
  const asked = named(1)(db, tx, values);
  const before = lettersSeen(db, tx).filter(
    (one) =>
      one.status === 'DEAD' &&
      isInTheWay(one) &&
      asked.some(({ key, seq, status }) => key === one.key && seq! > one.seq! && /DEAD|PARKED/.test(status)),
  );
  return inOrder([...new Set([...asked, ...before])]).filter(isOpen);
}

/** May be sent off by itself; what is parked waits for its turn. */
const isAtHand = ({ status }: Letter): boolean => status === 'DEAD' || status === 'REPLAYING';

/** The statements of replays and of operators. */
export const letterStatements = (watch: Watch): Statements => {
  const request = update(watch, wanted, (now) =>
    isAtHand(now)
      ? { status: 'REPLAYING', replay: now.replay + Number(now.status === 'DEAD'), replayPublishedAt: null }
      : null,
  );
  return {
    'consumer.replayed_letters': {
      run: (db, tx, [tenants, ids]) =>
        named(1)(db, tx, [tenants, ids])
          .filter(({ id, tenantId }) =>
            (ids as Column<string>).some(
              (one, i) => one === id && (tenants as Column<string>)[i] === tenantId,
            ),
          )
          .map(({ tenantId, id, eventId, status, replay }) => ({
            ...{ tenantId, deadLetterId: id, eventId, replaying: status === 'REPLAYING', replay },
          })),
    },
    'consumer.end_replays': update(watch, named(1), (now, [, ids, replays, outcomes, retries, codes]) => {
      const i = (ids as Column<string>).indexOf(now.id);
      if (now.status !== 'REPLAYING' || now.replay !== (replays as Column<number>)[i]) return null;
      const outcome = (outcomes as Column<string>)[i];
      if (outcome === 'RESOLVED') return { status: 'RESOLVED' };
      if (outcome === 'EARLY') return { status: isUntried(now.code) ? 'PARKED' : 'DEAD' };
      const retryCount = now.retryCount + (retries as Column<number>)[i]! + (isUntried(now.code) ? 0 : 1);
      return { status: 'DEAD', code: (codes as Column<string>)[i]!, retryCount };
    }),
    'consumer.promote_parked': update(watch, promotable, (now) =>
      now.status === 'PARKED'
        ? { status: 'REPLAYING', replay: now.replay + 1, replayPublishedAt: null }
        : null,
    ),
    'consumer.request_replay': {
      ...request,
      locks: (values, seen) => request.locks!(values, seen.filter(isAtHand)),
      run: (db, tx, values, seen) => [
        ...request.run(db, tx, values, seen.filter(isAtHand)).map((row) => ({ ...row, sent: true })),
        ...seen.filter(({ status }) => status === 'PARKED').map((one) => ({ ...rowOf(one), sent: false })),
      ],
    } satisfies Statement<readonly Letter[]>,
    'consumer.due_replays': {
      run: (db, tx, [, , partitions, limit]) =>
        inOrder(
          lettersSeen(db, tx).filter(
            ({ status, partition, replayPublishedAt }) =>
              status === 'REPLAYING' &&
              (partitions as Column<number>).includes(partition) &&
              (replayPublishedAt ?? -Infinity) < db.world.now - REPUBLISH_AFTER_MS,
          ),
        )
          .slice(0, limit as number)
          .map((letter) => ({
            ...{ tenantId: letter.tenantId, deadLetterId: letter.id, partition: letter.partition },
            ...{ aggregateId: letter.aggregateId, recordKey: letter.recordKey, recordValue: letter.value },
            ...{ recordHeaders: letter.headers, replay: letter.replay },
          })),
    },
    'consumer.replays_published': update(watch, named(1), (now, [, ids, replays], { world }) =>
      now.status === 'REPLAYING' &&
      now.replay === (replays as Column<number>)[(ids as Column<string>).indexOf(now.id)]
        ? { replayPublishedAt: world.now }
        : null,
    ),
    'consumer.replay_refused': update(
      watch,
      (db, tx, [tenant, id]) => named(1)(db, tx, [[tenant], [id]]),
      (now, [, , replay]) =>
        now.status === 'REPLAYING' && now.replay === replay
          ? {
              status: 'DEAD',
              code: now.code === 'KEY_REWIND' || isUntried(now.code) ? now.code : 'RECORD_REFUSED',
            }
          : null,
    ),
    'consumer.lock_keys': {
      locks: ([tenants, aggregates]) =>
        [...new Set(keysOf(tenants, aggregates))].sort().map((key) => `mark ${key}`),
      run: (db, tx, [tenants, aggregates]) => {
        for (const key of keysOf(tenants, aggregates)) {
          if (markOf(db, tx, key) !== undefined) continue;
          tx.marks.set(key, 0);
          tx.writes.push(() => db.marks.set(key, 0));
        }
        return [];
      },
    },
    'consumer.find_letters': {
      run: (db, tx, [statuses, id]) =>
        lettersSeen(db, tx)
          .filter((one) => one.id === id && (statuses as Column<string>).includes(one.status))
          .map(rowOf),
    },
    'consumer.letters_by_id': { run: (db, tx, values) => inOrder(named(1)(db, tx, values)).map(rowOf) },
    'consumer.letters_of_ours': {
      run: (db, tx, values) =>
        named(1)(db, tx, values)
          .filter(
            ({ key, seq, eventId }) => key !== null && db.events.get(refOf(key, seq!))?.eventId === eventId,
          )
          .map(rowOf),
    },
    'consumer.marks': {
      run: (db, tx, [tenants, aggregates]) =>
        keysOf(tenants, aggregates).flatMap((key, i) => {
          const appliedSeq = markOf(db, tx, key);
          const [tenantId, aggregateId] = [(tenants as Column<string>)[i], (aggregates as Column<string>)[i]];
          return appliedSeq === undefined ? [] : [{ tenantId, aggregateId, appliedSeq }];
        }),
    },
    'consumer.skip_letters': update(watch, named(1), () => ({ status: 'SKIPPED' })),
    'consumer.move_marks': {
      locks: ([tenants, aggregates]) => keysOf(tenants, aggregates).map((key) => `mark ${key}`),
      run: (db, tx, [tenants, aggregates, seqs]) => {
        keysOf(tenants, aggregates).forEach((key, i) => {
          const seq = (seqs as Column<number>)[i]!;
          if ((markOf(db, tx, key) ?? Infinity) >= seq) return;
          tx.marks.set(key, seq);
          tx.writes.push(() => {
            watch.skipping(key, seq);
            db.marks.set(key, seq);
          });
          tx.checks.push(() => watch.agrees(key));
        });
        return [];
      },
    },
    'outbox.audit_scope': { run: () => [] },
    'outbox.record_acts': { run: () => [] },
  };
};

/** Letters that hold the next version of their key, or belong to none. */
export const heads = (db: Database): Letter[] =>
  [...db.letters.values()].filter(
    (letter) =>
      isOpen(letter) &&
      (!isInTheWay(letter) || letter.key === null || letter.seq === (db.marks.get(letter.key) ?? 0) + 1),
  );
