import type { PoolClient } from 'pg';
import type { DataSource, EntityManager } from 'typeorm';
import type { TenantId } from '../kernel/ids.js';
import { metrics } from '../observability/metrics.js';
import type { Sql } from './sql.js';
import { isRetryable } from './sqlstate.js';

declare const brand: unique symbol;

/** What every transaction can do. Made by `UnitOfWork.run` or `BackgroundWork.run` and by nothing else. */
interface Transaction {
  /** Runs a named statement, prepared once a connection. */
  query<T extends object>(statement: Sql, values: readonly unknown[]): Promise<T[]>;
  /** TypeORM on this transaction's connection; `insert`, `update`, `find*` only: `save` takes over foreign rows. */
  readonly entities: EntityManager;
  /** Called once the transaction is durable, in order; must not throw. Not called when it rolls back. */
  afterCommit(callback: () => void): void;
}

/** A transaction in the scope of one tenant: row-level security shows it that tenant's rows only. */
export interface Tx extends Transaction {
  readonly [brand]: 'tenant';
  readonly tenantId: TenantId;
}

/** A transaction of the background role, across tenants: relay, consumer, maintenance. */
export interface BackgroundTx extends Transaction {
  readonly [brand]: 'background';
}

const ATTEMPTS = 6;
const STATEMENT_TIMEOUT = '15s';

/** Begins, scopes, runs, commits; the one retry of the house. */
async function transact<T>(
  source: DataSource,
  name: string,
  tenant: TenantId | null,
  locks: readonly string[],
  work: (tx: Transaction & { tenantId: TenantId | null; locked: readonly boolean[] }) => Promise<T>,
): Promise<T> {
  const observed = metrics.transactionSeconds.startTimer({ name });
  for (let attempt = 1; ; attempt++) {
    const callbacks: (() => void)[] = [];
    const runner = source.createQueryRunner();
    let broken: Error | undefined;
    try {
      const client = (await runner.connect()) as PoolClient;
      try {
        await client.query('BEGIN');
        // A bound set_config, and not SET: the tenant never becomes part of a statement's text. Advisory locks are tried
        // here, a statement before any read, so that a read sees whatever the lock's last holder committed.
        const scope = await client.query<{ locked: boolean[] | null }>({
          name: 'uow.scope',
          text: `SELECT set_config('app.tenant_id', $1, true), set_config('statement_timeout', $2, true),
            (SELECT array_agg(pg_try_advisory_xact_lock(hashtextextended(k, 0)) ORDER BY o)
               FROM unnest($3::text[]) WITH ORDINALITY AS l(k, o)) AS locked`,
          values: [tenant ?? '', STATEMENT_TIMEOUT, locks],
        });
        const result = await work({
          tenantId: tenant,
          locked: scope.rows[0]?.locked ?? [],
          entities: runner.manager,
          query: async <R extends object>(statement: Sql, values: readonly unknown[]): Promise<R[]> =>
            (await client.query<R>({ name: statement.name, text: statement.text, values: values as unknown[] })).rows,
          afterCommit: (callback) => callbacks.push(callback),
        });
        await client.query('COMMIT');
        observed();
        for (const callback of callbacks) callback();
        return result;
      } catch (error) {
        // A connection that can't even roll back goes: the server has rolled back by then.
        await client.query('ROLLBACK').catch((cause: unknown) => {
          broken = cause instanceof Error ? cause : new Error(String(cause));
        });
        throw error;
      }
    } catch (error) {
      if (!isRetryable(error) || attempt === ATTEMPTS) throw error;
      metrics.transactionRetries.inc({ name });
    } finally {
      // Given an error, the pool destroys the connection; TypeORM's public release() can't pass one on.
      await (runner as unknown as { releasePostgresConnection(error?: Error): Promise<void> }).releasePostgresConnection(broken);
    }
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 5 * 2 ** attempt));
  }
}

/**
 * The only door to a transaction in a tenant's scope. `work` runs again, whole, on SQLSTATE 40001 and 40P01, and on
 * nothing else: it must not touch anything but `tx`.
 */
export class UnitOfWork {
  constructor(private readonly source: DataSource) {}

  /** @param name `<module>.<verb>`; the label of the transaction's metrics */
  run<T>(scope: { readonly tenantId: TenantId }, name: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    return transact(this.source, name, scope.tenantId, [], (tx) => work(tx as unknown as Tx));
  }

  /**
   * As `run`, after trying the advisory lock of every name in `locks` (held to the end of the transaction).
   * `work` gets, in the same order, which of them it holds.
   */
  runLocking<T>(
    scope: { readonly tenantId: TenantId },
    name: string,
    locks: readonly string[],
    work: (tx: Tx, locked: readonly boolean[]) => Promise<T>,
  ): Promise<T> {
    return transact(this.source, name, scope.tenantId, locks, (tx) => work(tx as unknown as Tx, tx.locked));
  }
}

/** The only door to a transaction of the background role, without a tenant: its policies open what the loops need and no more. */
export class BackgroundWork {
  constructor(private readonly source: DataSource) {}

  run<T>(name: string, work: (tx: BackgroundTx) => Promise<T>): Promise<T> {
    return transact(this.source, name, null, [], (tx) => work(tx as unknown as BackgroundTx));
  }
}
