import type { Writable } from 'node:stream';
import type { PoolClient, QueryConfig } from 'pg';
import type { DataSource, EntityManager } from 'typeorm';
import type { TenantId } from '../kernel/ids.js';
import { metrics } from '../observability/metrics.js';
import { poolOf, statementFor } from './data-source.js';
import { readInOneMessage, type Queries } from './reads.js';
import type { Sql } from './sql.js';
import { isRetryable, isSilence, sqlState } from './sqlstate.js';
import { LOCK_TAKEN, SCOPE, SCOPE_LOCKING, SCOPE_TRYING } from './tenant-scope.js';

declare const brand: unique symbol;

/** What every transaction that may write can do. Made by `UnitOfWork.run` or `BackgroundWork.run` and by nothing else. */
interface Transaction extends Queries {
  /** TypeORM on this transaction's connection; `insert`, `update`, `find*` only: `save` takes over foreign rows. */
  readonly entities: EntityManager;
  /**
   * Sends a last statement together with the COMMIT: the transaction is durable when this answers, and nothing of `work` may fail or
   * ask after it. The statement must fail by itself where its effect isn't the one that is wanted (`app.require`).
   */
  conclude(statement: Sql, values: readonly unknown[]): Promise<void>;
  /** Called once the transaction is durable, in order; must not throw. Not called when it rolls back. */
  afterCommit(callback: () => void): void;
}

/** Reads in the scope of one tenant: row-level security shows them that tenant's rows only. */
export interface ReadTx extends Queries {
  readonly [brand]: 'tenant';
  readonly tenantId: TenantId;
}

/** A transaction in the scope of one tenant. */
export interface Tx extends Transaction, ReadTx {}

/** A transaction of the background role, across tenants: relay, consumer, maintenance. */
export interface BackgroundTx extends Transaction {
  readonly [brand]: 'background';
}

const ATTEMPTS = 6;

/** A statement as node-pg takes it. */
type Statement = string | QueryConfig;

/** The statement, given up after so many ms without an answer, if there is such a limit besides the pool's. */
function inTime(statement: Statement, patienceMs: number | undefined): QueryConfig {
  if (patienceMs === undefined) return statement as QueryConfig;
  const config = typeof statement === 'string' ? { text: statement } : statement;
  // Node-pg takes it; its typings don't know.
  return { ...config, ...{ query_timeout: patienceMs } };
}

/**
 * The wire of one connection in pipeline mode: what is sent within one turn of the event loop leaves in one write, and its
 * answers come back in order. Round trips, and not statements, are what a transaction costs.
 */
class Wire {
  private readonly stream: Writable;

  constructor(
    private readonly client: PoolClient,
    private readonly patienceMs: number | undefined,
  ) {
    this.stream = (client as unknown as { connection: { stream: Writable } }).connection.stream;
  }

  send<T extends object>(statement: Statement): Promise<T[]> {
    this.stream.cork();
    process.nextTick(() => this.stream.uncork());
    return this.client.query<T>(inTime(statement, this.patienceMs)).then((result) => result.rows);
  }
}

interface Work<T> {
  readonly source: DataSource;
  readonly name: string;
  readonly tenant: TenantId | null;
  readonly locks: readonly string[];
  /** False: `work` is told which of the locks it holds. True: it runs only with all of them, and needn't wait for them. */
  readonly all: boolean;
  /** Longest wait for the answer to a statement, ms; the pool's own when undefined. */
  readonly patienceMs?: number | undefined;
  readonly work: (tx: Transaction & { tenantId: TenantId | null; locked: readonly boolean[] }) => Promise<T>;
}

/** One try: begins, scopes, works, commits. @throws what failed, after the rollback */
async function attempt<T>({
  source,
  tenant,
  locks,
  all,
  patienceMs,
  work,
}: Work<T>): Promise<{ result: T; committed: (() => void)[] }> {
  const committed: (() => void)[] = [];
  const runner = source.createQueryRunner();
  let broken: Error | undefined;
  try {
    const wire = new Wire((await runner.connect()) as PoolClient, patienceMs);
    try {
      const begun = wire.send('BEGIN');
      const scoping = tenant === null ? Promise.resolve([]) : scope(source, wire, tenant, { locks, all });
      // Both are looked at below; but when the connection dies another one fails first, and nobody would be there for these.
      begun.catch(() => undefined);
      scoping.catch(() => undefined);
      // The work's first statements go with them. The scope is the transaction's own: without one they would find no tenant's rows.
      const locked = all ? locks.map(() => true) : ((await scoping)[0]?.locked ?? []);
      let over = false;
      let concluded = false;
      const late = ({ name }: Sql): Promise<never> =>
        Promise.reject(new Error(`${name} comes after the end of its transaction`));
      const working = work({
        tenantId: tenant,
        locked,
        entities: runner.manager,
        query: <R extends object>(statement: Sql, values: readonly unknown[]): Promise<R[]> =>
          // A branch of the work that outlives it (a Promise.all of which another branch failed) would write after the
          // ROLLBACK, by itself, or in somebody else's transaction on this connection.
          over ? late(statement) : wire.send<R>(statementFor(source, statement, values)),
        conclude: async (statement, values) => {
          if (over) return late(statement);
          over = concluded = true;
          await Promise.all([wire.send(statementFor(source, statement, values)), wire.send('COMMIT')]);
        },
        afterCommit: (callback) => committed.push(callback),
      }).finally(() => (over = true));
      // All, before anything else is sent: no statement of `work` may run outside the transaction.
      const [begin, scoped, outcome] = await Promise.allSettled([begun, scoping, working]);
      for (const part of [begin, scoped, outcome]) if (part.status === 'rejected') throw part.reason;
      if (!concluded) await wire.send('COMMIT');
      return { result: (outcome as PromiseFulfilledResult<T>).value, committed };
    } catch (error) {
      // A connection that can't even roll back goes: the server has rolled back by then. One that didn't answer in time would
      // not answer this either.
      if (isSilence(error)) broken = error as Error;
      else
        await wire.send('ROLLBACK').catch((cause: unknown) => {
          broken = cause instanceof Error ? cause : new Error(String(cause));
        });
      throw error;
    }
  } finally {
    // Given an error, the pool destroys the connection; TypeORM's public release() can't pass one on.
    await (
      runner as unknown as { releasePostgresConnection(error?: Error): Promise<void> }
    ).releasePostgresConnection(broken);
  }
}

const scope = (
  source: DataSource,
  wire: Wire,
  tenant: TenantId,
  { locks, all }: Pick<Work<unknown>, 'locks' | 'all'>,
): Promise<{ locked?: boolean[] }[]> =>
  wire.send(
    locks.length === 0
      ? statementFor(source, SCOPE, [tenant])
      : statementFor(source, all ? SCOPE_LOCKING : SCOPE_TRYING, [tenant, locks]),
  );

/** Tries again, whole, what did nothing because of others: the one retry of the house. */
async function retried<T>(name: string, once: () => Promise<T>): Promise<T> {
  const observed = metrics.transactionSeconds.startTimer({ name });
  for (let tries = 1; ; tries++)
    try {
      const result = await once();
      observed();
      return result;
    } catch (error) {
      if (!isRetryable(error) || tries === ATTEMPTS) throw error;
      metrics.transactionRetries.inc({ name });
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 5 * 2 ** tries));
    }
}

async function transact<T>(work: Work<T>): Promise<T> {
  const { result, committed } = await retried(work.name, () => attempt(work));
  for (const callback of committed) callback();
  return result;
}

/**
 * The only door to a transaction in a tenant's scope. `work` runs again, whole, on SQLSTATE 40001 and 40P01, and on
 * nothing else: it must not touch anything but `tx`.
 */
export class UnitOfWork {
  constructor(private readonly source: DataSource) {}

  /** @param name `<module>.<verb>`; the label of the transaction's metrics */
  run<T>(scope: { readonly tenantId: TenantId }, name: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.runLocking(scope, name, [], work);
  }

  /**
   * Reads in one round trip: the scope and the statements leave in one message, in a read-only transaction, with those of other
   * readers of the tenant who come at the same time. So `work` has to ask for everything before it awaits anything; what comes later
   * is refused.
   */
  read<T>(
    scope: { readonly tenantId: TenantId },
    name: string,
    work: (tx: ReadTx) => Promise<T>,
  ): Promise<T> {
    return retried(name, () =>
      readInOneMessage(this.source, scope.tenantId, (reads) =>
        work({ ...reads, tenantId: scope.tenantId } as ReadTx),
      ),
    );
  }

  /**
   * As `run`, with the advisory locks of every name in `locks` (held to the end of the transaction). `work` gets, in the same
   * order, which of them it holds. All are taken to be free, so that its first statements needn't wait for them; when one isn't, the
   * transaction ends before it has read anything, and another asks first.
   */
  async runLocking<T>(
    { tenantId: tenant }: { readonly tenantId: TenantId },
    name: string,
    locks: readonly string[],
    work: (tx: Tx, locked: readonly boolean[]) => Promise<T>,
  ): Promise<T> {
    const whole = (all: boolean): Promise<T> =>
      transact({
        source: this.source,
        name,
        tenant,
        locks,
        all,
        work: (tx) => work(tx as unknown as Tx, tx.locked),
      });
    try {
      return await whole(true);
    } catch (error) {
      if (sqlState(error) !== LOCK_TAKEN) throw error;
      return whole(false);
    }
  }
}

/** The only door to a transaction of the background role, without a tenant: its policies open what the loops need and no more. */
export class BackgroundWork {
  constructor(
    private readonly source: DataSource,
    private readonly patienceMs?: number,
  ) {}

  /**
   * The same door for those who must move on: a connection that leaves a statement unanswered for so long is given up, and the
   * statement with it (`isUnavailable`). What became of that is unknown: a COMMIT may have come to pass.
   */
  answeredWithin(ms: number): BackgroundWork {
    return new BackgroundWork(this.source, Math.min(ms, poolOf(this.source).options.query_timeout as number));
  }

  run<T>(name: string, work: (tx: BackgroundTx) => Promise<T>): Promise<T> {
    return transact({
      source: this.source,
      name,
      tenant: null,
      locks: [],
      all: true,
      patienceMs: this.patienceMs,
      work: (tx) => work(tx as unknown as BackgroundTx),
    });
  }

  /** One statement, a transaction of its own: a third of the round trips of `run`. */
  async query<T extends object>(statement: Sql, values: readonly unknown[]): Promise<T[]> {
    const config = inTime(statementFor(this.source, statement, values), this.patienceMs);
    return retried(statement.name, async () => (await poolOf(this.source).query<T>(config)).rows);
  }
}
