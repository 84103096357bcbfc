import { sql } from '../../src/platform/database/sql.js';
import {
  type Database,
  isInTheWay,
  type Letter,
  type OffsetRow,
  pgError,
  refOf,
  type Tx,
} from './database.js';
import { type Column, keysOf, lettersSeen, letterStatements, markOf } from './letter-statements.js';
import type { Watch } from './watch.js';
import type { Statements } from './work.js';

/** The only statement of the simulated read model. */
export const EFFECT = sql('simulate.effect', '');

/** Writes an inbox row, once the transaction commits. */
export function writeInbox(
  watch: Watch,
  db: Database,
  tx: Tx,
  row: { key: string; seq: number; eventId: string },
): void {
  tx.writes.push(() => {
    watch.inboxed(row.key, row.seq, row.eventId);
    db.inbox.set(refOf(row.key, row.seq), { eventId: row.eventId });
  });
}

/** Raises a mark, never lowers it. */
export function raiseMark(watch: Watch, db: Database, tx: Tx, key: string, seq: number): void {
  tx.marks.set(key, Math.max(seq, markOf(db, tx, key) ?? 0));
  tx.writes.push(() => db.marks.set(key, Math.max(seq, db.marks.get(key) ?? 0)));
  tx.checks.push(() => watch.agrees(key));
}

/** Moves an offset, once the transaction commits. */
export function moveOffset(
  watch: Watch,
  db: Database,
  tx: Tx,
  move: { partition: number; epoch: number; to: number },
): void {
  const { partition, epoch, to } = move;
  let from = 0;
  let fenced = false;
  tx.writes.push(() => {
    const row = db.offsets.get(partition)!;
    from = row.next;
    fenced = row.epoch !== epoch;
    db.offsets.set(partition, { ...row, next: to, committed: true });
  });
  tx.checks.push(() => watch.moved(partition, from, to, fenced));
}

/** The consumer's statements, as src/modules/consumer/persistence has them. */
export const consumerStatements = (watch: Watch): Statements => ({
  ...letterStatements(watch),
  'consumer.claim_partition': {
    locks: ([, , partition]) => [`offset ${partition as number}`],
    run: (db, tx, [, , partition]) => {
      const row: OffsetRow = db.offsets.get(partition as number) ?? { next: 0, epoch: 0, committed: false };
      tx.writes.push(() => db.offsets.set(partition as number, { ...row, epoch: row.epoch + 1 }));
      return [{ epoch: row.epoch + 1, next: String(row.next), fresh: !row.committed }];
    },
  },
  'consumer.look_at_partition': {
    run: (db, _tx, [, , partition]) => {
      const row = db.offsets.get(partition as number);
      return row ? [{ epoch: row.epoch, next: String(row.next) }] : [];
    },
  },
  'consumer.move_offset': {
    locks: ([, , partition]) => [`offset ${partition as number}`],
    run: (db, tx, [, , partition, epoch, from, to]) => {
      const row = db.offsets.get(partition as number)!;
      if (row.epoch !== epoch || row.next !== Number(from)) return [];
      moveOffset(watch, db, tx, { partition: partition as number, epoch, to: Number(to) });
      return [{ epoch }];
    },
  },
  'consumer.key_states': {
    run: (db, tx, [tenants, aggregates, seqs]) => {
      const letters = lettersSeen(db, tx);
      return keysOf(tenants, aggregates).map((key, i) => {
        const keySeq = (seqs as Column<number>)[i]!;
        const appliedSeq = markOf(db, tx, key) ?? 0;
        const own = letters.filter((one) => one.key === key);
        const open = own.filter((one) => isInTheWay(one) && one.seq! > appliedSeq).map(({ seq }) => seq!);
        const under = own.filter(({ seq }) => seq === keySeq);
        return {
          tenantId: (tenants as Column<string>)[i],
          aggregateId: (aggregates as Column<string>)[i],
          ...{ keySeq, appliedSeq, firstOpen: open.length > 0 ? Math.min(...open) : null },
          letters: under.map(({ eventId, status, code }) => ({
            eventId,
            status,
            rewind: code === 'KEY_REWIND',
          })),
          appliedId: keySeq <= appliedSeq ? (db.inbox.get(refOf(key, keySeq))?.eventId ?? null) : null,
        };
      });
    },
  },
  'consumer.record_applied': {
    // A unique index makes the second one wait for the first one's end.
    locks: ([tenants, aggregates, seqs]) =>
      keysOf(tenants, aggregates).flatMap((key, i) => [
        `inbox ${refOf(key, (seqs as Column<number>)[i]!)}`,
        `mark ${key}`,
      ]),
    run: (db, tx, [tenants, aggregates, seqs, , ids]) => {
      keysOf(tenants, aggregates).forEach((key, i) => {
        const seq = (seqs as Column<number>)[i]!;
        if (db.inbox.has(refOf(key, seq))) throw pgError('23505', 'event_inbox_pkey');
        writeInbox(watch, db, tx, { key, seq, eventId: (ids as Column<string>)[i]! });
        raiseMark(watch, db, tx, key, seq);
      });
      return [];
    },
  },
  'consumer.bury': {
    run: (db, tx, values) => {
      const [tenant, id, , , partition, offset, eventId, aggregate, seq] = values;
      const [status, recordKey, value, headers, retryCount, code] = values.slice(10);
      const letter: Letter = {
        id: id as string,
        tenantId: tenant as string,
        aggregateId: aggregate as string | null,
        partition: partition as number,
        offset: Number(offset),
        eventId: eventId as string | null,
        key: aggregate === null ? null : `${tenant as string}/${aggregate as string}`,
        seq: seq as number | null,
        status: status as Letter['status'],
        retryCount: retryCount as number,
        code: code as string,
        recordKey: recordKey as string | null,
        value: value as Buffer | null,
        headers: JSON.parse(headers as string) as Record<string, string>,
        replay: 0,
        replayPublishedAt: null,
      };
      const same = (one: Letter): boolean =>
        one.partition === letter.partition && one.offset === letter.offset && one.eventId === letter.eventId;
      // To a unique index NULLs differ.
      if (letter.eventId !== null && lettersSeen(db, tx).some(same)) return [];
      tx.letters.set(letter.id, letter);
      tx.writes.push(() => {
        watch.buried(letter);
        db.letters.set(letter.id, letter);
      });
      return [];
    },
  },
  [EFFECT.name]: {
    locks: ([keys]) => (keys as Column<string>).map((key) => `effect ${key}`),
    run: (db, tx, [keys, seqs]) => {
      (keys as Column<string>).forEach((key, i) => {
        const seq = (seqs as Column<number>)[i]!;
        const event = watch.truth.get(refOf(key, seq));
        const { trouble } = event ?? {};
        const lasting = (trouble === 'curable' || trouble === 'slow') && !watch.cured;
        if (trouble === 'permanent' || lasting) {
          if (new Set(keys as string[]).size === 1 && (keys as string[]).length === 1)
            watch.failures.set(refOf(key, seq), (watch.failures.get(refOf(key, seq)) ?? 0) + 1);
          throw pgError(trouble === 'slow' ? '57014' : '23514');
        }
        tx.writes.push(() => {
          watch.applying(key, seq);
          db.effects.set(key, [...(db.effects.get(key) ?? []), seq]);
        });
        tx.checks.push(() => watch.agrees(key));
      });
      return [];
    },
  },
});
