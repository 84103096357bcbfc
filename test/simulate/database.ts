import type { LetterStatus } from '../../src/modules/consumer/persistence/letter-store.js';
import type { Link, Proc, Reply, World } from './world.js';

/** What is wrong with an event, as the consumer or the log will find. */
export type Trouble =
  | 'none'
  /** Fails a few times, fewer than there are retries. */
  | 'flaky'
  /** Fails at every try, with no SQLSTATE. */
  | 'unclear'
  /** Violates a constraint. */
  | 'permanent'
  /** As `permanent`, until a corrected service is deployed. */
  | 'curable'
  /** Meets a statement's timeout, until the database is mended. */
  | 'slow'
  /** The log refuses it for a while. */
  | 'refused';

/** An event that was committed: what really happened. */
export interface HouseEvent {
  /** `<tenant>/<aggregate>` */
  readonly key: string;
  readonly tenantId: string;
  readonly aggregateId: string;
  readonly slot: number;
  readonly priority: number;
  readonly seq: number;
  readonly eventId: string;
  /** ISO 8601, by the database's clock. */
  readonly occurredAt: string;
  /** By the clock of the process that wrote it. */
  readonly writtenAt: number;
  /** The partition of the event table that it is kept in. */
  readonly month: number;
  readonly trouble: Trouble;
}

export interface QueueRow {
  readonly queueId: number;
  /** Transaction that inserted it. */
  readonly xid: number;
  readonly event: HouseEvent;
  /** An id that a replay made up; only planted bugs do. */
  readonly eventId?: string;
  /** Out of the relays' sight: its key stands still. */
  shelved?: boolean;
}

export interface Block {
  readonly seq: number;
  readonly status: 'FAILED' | 'DLQ';
  readonly attempts: number;
  readonly nextAttemptAt: number;
}

export interface Receipt {
  readonly event: HouseEvent;
  publishedAt: number;
  partition: number;
  offset: number;
  /** Queued again, and not yet published again. */
  requeued: boolean;
  /** How often it was queued again. */
  republished: number;
  lastTryAt: number;
}

/** A row of the dead letters; a change puts another in its place. */
export interface Letter {
  readonly id: string;
  readonly tenantId: string;
  readonly aggregateId: string | null;
  readonly partition: number;
  readonly offset: number;
  readonly eventId: string | null;
  /** `<tenant>/<aggregate>`; null: of no key. */
  readonly key: string | null;
  readonly seq: number | null;
  readonly status: LetterStatus;
  readonly retryCount: number;
  readonly code: string;
  readonly recordKey: string | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  /** How often it was sent off to be replayed. */
  readonly replay: number;
  readonly replayPublishedAt: number | null;
}

/** Not settled. */
export const isOpen = ({ status }: Letter): boolean => status !== 'RESOLVED' && status !== 'SKIPPED';

/** Stands in the way of its key: the event of another, under a version that is taken, does not. */
export const isInTheWay = (letter: Letter): boolean => isOpen(letter) && letter.code !== 'KEY_REWIND';

export interface OffsetRow {
  next: number;
  epoch: number;
  committed: boolean;
}

/** A transaction. What it writes is seen by nobody until it commits; what it locked, it holds until it ends. */
export class Tx {
  open = true;
  aborted = false;
  readonly writes: (() => void)[] = [];
  /** Runs when all writes are there: looks whether they agree. */
  readonly checks: (() => void)[] = [];
  readonly held = new Set<string>();
  waitsFor: string | null = null;
  /** Holds the queue's lock for writing: it has drawn ids, and may still bring in rows with them. */
  writesQueue = false;
  /** What it wrote, as its own statements see it. */
  readonly marks = new Map<string, number>();
  readonly letters = new Map<string, Letter>();
  readonly pending: (() => void)[] = [];
  busy = false;

  constructor(
    readonly xid: number,
    readonly proc: Proc,
  ) {}
}

/**
 * A statement: what it sees when it begins, the rows that it locks, in this order, and what it does once it has them. What
 * `run` reads for itself is committed by then, or the transaction's own.
 */
export interface Statement<Seen = unknown> {
  look?(db: Database, tx: Tx, values: readonly unknown[]): Seen;
  locks?(values: readonly unknown[], seen: Seen): string[];
  run(db: Database, tx: Tx, values: readonly unknown[], seen: Seen): object[];
}

/** An error of PostgreSQL's; for 23514 `constraint` tells which. */
export const pgError = (code: string, constraint?: string): Error =>
  Object.assign(new Error(constraint ?? code), { code, constraint });

/**
 * PostgreSQL as far as the promises rest on it: READ COMMITTED, row locks with waiting and deadlocks, ids that are drawn
 * before commits, restarts that roll back what is open.
 */
export class Database {
  /** Tables; committed rows only. */
  readonly versions = new Map<string, number>();
  readonly events = new Map<string, HouseEvent>();
  readonly queue = new Map<number, QueueRow>();
  readonly blocks = new Map<string, Block>();
  readonly slots = Array.from({ length: 16 }, () => ({
    owner: null as string | null,
    epoch: 0,
    leaseUntil: -1,
    lowWater: 0,
  }));
  readonly relays = new Map<string, number>();
  readonly receipts = new Map<string, Receipt>();
  readonly inbox = new Map<string, { readonly eventId: string }>();
  readonly marks = new Map<string, number>();
  readonly offsets = new Map<number, OffsetRow>();
  readonly letters = new Map<string, Letter>();
  /** The read model: the versions of each key, as they were applied. */
  readonly effects = new Map<string, number[]>();
  /** Partitions of the event table up to this month are gone. */
  droppedBefore = 0;

  /** Errors so far that say nothing of the statements that met them. */
  weather = 0;
  downUntil = 0;
  readonly link: Link;
  private lastXid = 100;
  private lastQueueId = 0;
  private readonly locks = new Map<
    string,
    { holder: Tx; readonly waiting: { tx: Tx; granted: () => void }[] }
  >();
  private readonly openTxs = new Set<Tx>();

  constructor(readonly world: World) {
    this.link = {
      down: () => this.world.now < this.downUntil,
      lost: () => new Error('Connection terminated unexpectedly'),
      late: false,
    };
  }

  begin(proc: Proc): Tx {
    const tx = new Tx(++this.lastXid, proc);
    this.openTxs.add(tx);
    return tx;
  }

  /** The identity column: drawn at once, given to nobody else even if the transaction fails. */
  nextQueueId(tx?: Tx): number {
    if (tx) tx.writesQueue = true;
    return ++this.lastQueueId;
  }

  get lastDrawn(): number {
    return this.lastQueueId;
  }

  /** Open transactions that may still bring in rows of the queue. */
  queueWriters(): Set<string> {
    return new Set([...this.openTxs].filter(({ writesQueue }) => writesQueue).map(({ xid }) => String(xid)));
  }

  get open(): number {
    return this.openTxs.size;
  }

  /** One statement of a transaction, after those that were sent before it. */
  execute(tx: Tx, statement: Statement, values: readonly unknown[], reply: Reply<object[]>): void {
    this.inTurn(tx, (next) => {
      if (!tx.open) return (reply({ error: this.link.lost() }), next());
      if (tx.aborted) return (reply({ error: pgError('25P02') }), next());
      const seen = statement.look?.(this, tx, values);
      this.lock(tx, statement.locks?.(values, seen) ?? [], (error) => {
        try {
          if (error) throw error;
          reply({ value: statement.run(this, tx, values, seen) });
        } catch (failure) {
          tx.aborted = true;
          reply({ error: failure });
        }
        next();
      });
    });
  }

  /** One statement, a transaction of its own. */
  single(proc: Proc, statement: Statement, values: readonly unknown[], reply: Reply<object[]>): void {
    const tx = this.begin(proc);
    this.execute(tx, statement, values, (answer) => {
      if ('value' in answer) this.end(tx, true);
      else this.end(tx, false);
      reply(answer);
    });
  }

  /** Commits, after everything that was sent before. An aborted transaction rolls back, as PostgreSQL does on COMMIT. */
  commit(tx: Tx, reply: Reply<null>): void {
    this.inTurn(tx, (next) => {
      if (!tx.open) return (reply({ error: this.link.lost() }), next());
      this.end(tx, !tx.aborted);
      reply({ value: null });
      next();
    });
  }

  rollback(tx: Tx): void {
    if (tx.open) this.end(tx, false);
  }

  /** Takes row locks one after the other, waiting where somebody else has one. */
  lock(tx: Tx, names: readonly string[], done: (error: Error | null) => void): void {
    const [name, ...rest] = names;
    if (!tx.open) return done(this.link.lost());
    if (name === undefined) return done(null);
    const going = (): void => (tx.open ? this.lock(tx, rest, done) : done(this.link.lost()));
    if (tx.held.has(name)) return going();
    const lock = this.locks.get(name);
    if (!lock) {
      this.locks.set(name, { holder: tx, waiting: [] });
      tx.held.add(name);
      return going();
    }
    if (this.deadlocks(tx, lock.holder)) return done(pgError('40P01'));
    this.world.bit('waits for a lock');
    tx.waitsFor = name;
    lock.waiting.push({ tx, granted: going });
  }

  /** An immediate restart: whatever is open is rolled back. */
  restart(forMs: number): void {
    this.downUntil = Math.max(this.downUntil, this.world.now + forMs);
    for (const tx of [...this.openTxs]) this.rollback(tx);
  }

  /** A process died: the server notices, and rolls its transactions back. */
  abandon(proc: Proc): void {
    for (const tx of this.openTxs)
      if (tx.proc === proc)
        this.world.at(this.world.now + this.world.random.between(1, 300), () => this.rollback(tx));
  }

  /** Rows of a slot. */
  rowsOf(slot: number): QueueRow[] {
    const rows: QueueRow[] = [];
    if (this.queue.size === 0) return rows;
    for (const row of this.queue.values()) if (row.event.slot === slot) rows.push(row);
    return rows;
  }

  /** Whether the event waits in the queue. */
  isQueued(event: HouseEvent): boolean {
    for (const row of this.queue.values()) if (row.event === event) return true;
    return false;
  }

  /** Letters of a key that still stand in its way. */
  lettersOf(key: string): Letter[] {
    return [...this.letters.values()].filter((letter) => letter.key === key && isInTheWay(letter));
  }

  private deadlocks(tx: Tx, holder: Tx): boolean {
    for (
      let at: Tx | undefined = holder;
      at;
      at = at.waitsFor ? this.locks.get(at.waitsFor)?.holder : undefined
    )
      if (at === tx) return true;
    return false;
  }

  private inTurn(tx: Tx, run: (next: () => void) => void): void {
    tx.pending.push(() =>
      run(() => {
        tx.busy = false;
        this.pump(tx);
      }),
    );
    this.pump(tx);
  }

  private pump(tx: Tx): void {
    if (tx.busy) return;
    const run = tx.pending.shift();
    if (!run) return;
    tx.busy = true;
    run();
  }

  private end(tx: Tx, keep: boolean): void {
    tx.open = false;
    this.openTxs.delete(tx);
    if (keep) {
      for (const write of tx.writes) write();
      for (const check of tx.checks) check();
    }
    for (const name of tx.held) this.release(name);
    tx.held.clear();
    if (tx.waitsFor) {
      const waiting = this.locks.get(tx.waitsFor)?.waiting;
      const place = waiting?.findIndex((one) => one.tx === tx) ?? -1;
      if (place >= 0) waiting!.splice(place, 1)[0]!.granted();
    }
  }

  private release(name: string): void {
    const lock = this.locks.get(name)!;
    const next = lock.waiting.shift();
    if (!next) return void this.locks.delete(name);
    lock.holder = next.tx;
    next.tx.held.add(name);
    next.tx.waitsFor = null;
    next.granted();
  }
}

/** Where an event's checkpoints are kept. */
export const refOf = (key: string, seq: number): string => `${key}#${seq}`;
