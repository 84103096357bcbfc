import { ident, type OwnerSession } from '../../../platform/database/owner-session.js';
import { sqlState } from '../../../platform/database/sqlstate.js';
import { mustBeAlike, swap } from './swap.js';
import { NotPartitionableError, shapeOf, type TableShape } from './table-shape.js';
import { closeToOwner, makeTwin, openToOwner, retiredOf, twinOf } from './twin.js';

/**
 * Longest wait for a lock. Below PostgreSQL's deadlock_timeout (1 s): where a writer and the copy wait for each other, it is
 * the copy that gives way, before anybody looks for a victim.
 */
const LOCK_TIMEOUT = '200ms';
const TRIES = 600;
const PAUSE_MS = 250;
/** Where the planner knows nothing yet. */
const ROWS_A_PAGE = 50;

export interface BackfillOptions {
  readonly table: string;
  /** The timestamptz by which rows go into months. */
  readonly column: string;
  /** Rows a transaction, more or less: pages are read whole. */
  readonly batch: number;
}

/** How far it is. Blocks are pages of the old table. */
export interface BackfillProgress {
  readonly step: 'preparing' | 'copying' | 'waiting' | 'verifying' | 'swapping';
  readonly blocks: number;
  readonly doneBlocks: number;
  readonly rows: number;
}

export interface BackfillResult {
  readonly table: string;
  readonly months: number;
  readonly rows: number;
  /** The old table, to be dropped when nobody misses it. */
  readonly retired: string;
}

interface State {
  readonly column: string;
  readonly filenode: number;
  readonly next: number;
  readonly rows: number;
}

const STATE = `SELECT column_name AS column, filenode::int8 AS filenode, next_block AS next, copied_rows AS rows
  FROM partition_backfills WHERE table_name = $1`;

/**
 * Moves a table's history into months while it is read and written: a partitioned twin, kept up by triggers, gets the rows
 * batch by batch, is compared with the table, and takes its place. Killed at any point and run again, it goes on.
 */
export class Backfill {
  constructor(
    private readonly session: OwnerSession,
    private readonly options: BackfillOptions,
    private readonly report: (progress: BackfillProgress) => void = () => undefined,
  ) {}

  /** Looks, and touches nothing. @throws NotPartitionableError */
  plan(): Promise<TableShape> {
    return shapeOf(this.session, this.options.table, this.options.column);
  }

  /** @throws NotPartitionableError, before anything was touched or when the table was changed meanwhile */
  async run(): Promise<BackfillResult> {
    const shape = await this.plan();
    // One at a time for a table, to the end of the session.
    const [lock] = await this.session.query<{ mine: boolean }>(
      `SELECT pg_try_advisory_lock(hashtextextended('partitions backfill ' || $1, 0)) AS mine`,
      [shape.name],
    );
    if (!lock!.mine) throw new NotPartitionableError(`${shape.name} is being moved by another backfill`);
    await this.prepare(shape);
    await this.copy(shape);
    await this.waitForSnapshots(shape);
    const { months, rows } = await this.verify(shape);
    this.tell('swapping', shape, shape.blocks, rows);
    await this.patiently(() => swap(this.session, shape));
    return { table: shape.name, months, rows, retired: retiredOf(shape.name) };
  }

  private tell(
    step: BackfillProgress['step'],
    { blocks }: TableShape,
    doneBlocks: number,
    rows: number,
  ): void {
    this.report({ step, blocks, doneBlocks, rows });
  }

  private async prepare(shape: TableShape): Promise<void> {
    const [state] = await this.session.query<State>(STATE, [shape.name]);
    if (state && state.column !== shape.column)
      throw new NotPartitionableError(
        `${shape.name} is being moved by ${state.column}, not by ${shape.column}`,
      );
    if (state) return;
    this.tell('preparing', shape, 0, 0);
    // Two transactions: the first lock is against everybody, and must not last while the rows are looked through.
    await this.patiently(() => openToOwner(this.session, shape));
    try {
      await this.begin(shape);
    } catch (error) {
      await this.patiently(() => closeToOwner(this.session, shape));
      throw error;
    }
  }

  private begin(shape: TableShape): Promise<void> {
    return this.patiently(async () => {
      await makeTwin(this.session, shape);
      await mustBeAlike(this.session, shape);
      await this.session.query(
        `INSERT INTO partition_backfills (table_name, column_name, filenode) VALUES ($1, $2, $3)`,
        [shape.name, shape.column, shape.filenode],
      );
    });
  }

  /** Page by page: one pass over the table, whatever its indexes. What is written behind its back, the mirror has. */
  private async copy(shape: TableShape): Promise<void> {
    const rowsAPage = shape.rows > 0 && shape.blocks > 0 ? shape.rows / shape.blocks : ROWS_A_PAGE;
    const span = Math.max(1, Math.round(this.options.batch / rowsAPage));
    for (;;) {
      const done = await this.patiently(() => this.copyBatch(shape, span));
      this.tell('copying', shape, done.next, done.rows);
      if (done.whole) return;
    }
  }

  private async copyBatch(shape: TableShape, span: number): Promise<State & { readonly whole: boolean }> {
    const { name, columns } = shape;
    const names = columns.map(ident).join(', ');
    const [state] = await this.session.query<State>(`${STATE} FOR UPDATE`, [name]);
    const [now] = await this.session.query<{ filenode: number; blocks: number }>(
      `SELECT pg_relation_filenode(oid)::int8 AS filenode, pg_relation_size(oid) / current_setting('block_size')::int AS blocks
         FROM pg_class WHERE oid = $1`,
      [shape.oid],
    );
    // Written anew since (VACUUM FULL, CLUSTER): its rows lie elsewhere, and the pages are counted from the first again.
    const next = state!.filenode === now!.filenode ? state!.next : 0;
    const until = next + span;
    // FOR SHARE: a row that somebody deletes meanwhile is either gone from here, or still there when its deletion is mirrored.
    const [copied] = await this.session.query<{ n: number }>(
      `WITH batch AS (SELECT ${names} FROM ${ident(name)} WHERE ctid >= $1::tid AND ctid < $2::tid FOR SHARE),
       new AS (INSERT INTO ${ident(twinOf(name))} (${names}) SELECT ${names} FROM batch ON CONFLICT DO NOTHING RETURNING 1)
       SELECT count(*) AS n FROM new`,
      [`(${next},0)`, `(${until},0)`],
    );
    const rows = state!.rows + copied!.n;
    await this.session.query(
      `UPDATE partition_backfills SET next_block = $2, copied_rows = $3, filenode = $4 WHERE table_name = $1`,
      [name, Math.min(until, now!.blocks), rows, now!.filenode],
    );
    return { column: shape.column, filenode: now!.filenode, next: until, rows, whole: until >= now!.blocks };
  }

  /**
   * A snapshot that is older than a copied row would miss it in the twin. Waits, as CREATE INDEX CONCURRENTLY does, until all
   * transactions are over that are open now; those of the services take seconds at most.
   */
  private async waitForSnapshots(shape: TableShape): Promise<void> {
    const [now] = await this.session.query<{ open: string[] }>(
      `SELECT coalesce(array_agg(virtualxid), '{}') AS open FROM pg_locks
        WHERE locktype = 'virtualxid' AND granted AND pid <> pg_backend_pid()`,
    );
    for (let tries = 1; ; tries += 1) {
      const [left] = await this.session.query<{ n: number }>(
        `SELECT count(*) AS n FROM pg_locks WHERE locktype = 'virtualxid' AND granted AND virtualxid = ANY ($1)`,
        [now!.open],
      );
      if (left!.n === 0) return;
      if (tries === TRIES)
        throw new Error(
          `${left!.n} transactions that were open at the copy's end are open still; run it again`,
        );
      this.tell('waiting', shape, shape.blocks, 0);
      await pause();
    }
  }

  /** In one snapshot table and twin must be the same, whatever is written: the mirror acts within each transaction. */
  private async verify(shape: TableShape): Promise<{ months: number; rows: number }> {
    this.tell('verifying', shape, shape.blocks, 0);
    const { name, column, columns } = shape;
    const row = `ROW(${columns.map(ident).join(', ')})::text`;
    const sums = (table: string): string =>
      `SELECT date_trunc('month', ${ident(column)}) AS month, count(*) AS n, sum(hashtextextended(${row}, 0)::numeric) AS sum
         FROM ${ident(table)} GROUP BY 1`;
    const [found] = await this.session.query<{ months: number; rows: number; different: string[] }>(
      `SELECT count(t.month)::int AS months, coalesce(sum(t.n), 0)::int8 AS rows,
              coalesce(array_agg(coalesce(o.month, t.month)::text) FILTER (WHERE o.n IS DISTINCT FROM t.n OR o.sum IS DISTINCT FROM t.sum), '{}') AS different
         FROM (${sums(name)}) o FULL JOIN (${sums(twinOf(name))}) t USING (month)`,
    );
    if (found!.different.length > 0)
      throw new Error(
        `${twinOf(name)} is not what ${name} is in ${found!.different.join(', ')}: nothing was swapped; drop it and begin again`,
      );
    return found!;
  }

  /** A transaction that queues behind no lock for longer than LOCK_TIMEOUT, tried until it gets them. */
  private async patiently<T>(work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1)
      try {
        return await this.session.atomically(async () => {
          await this.session.query(`SELECT set_config('lock_timeout', $1, true)`, [LOCK_TIMEOUT]);
          return work();
        });
      } catch (error) {
        if (!['55P03', '40P01'].includes(sqlState(error) ?? '') || tries === TRIES) throw error;
        await pause();
      }
  }
}

/** Long enough for those who queued to get through. */
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
