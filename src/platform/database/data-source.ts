import type { Duplex } from 'node:stream';
import pg from 'pg';
import { DataSource, type EntityTarget, type ObjectLiteral } from 'typeorm';
import { arrayLiteral } from './array-literal.js';
import type { Sql } from './sql.js';
import { isSilence } from './sqlstate.js';

// Dates stay text (a Date would drag a time zone in); bigint is money, versions and offsets, all below 2^53.
const DATE = 1082;
const INT8 = 20;
const INT8_ARRAY = 1016 as number as typeof INT8; // missing from the typings
const safe = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint out of range: ${text}`);
  return value;
};
pg.types.setTypeParser(DATE, (text) => text);
pg.types.setTypeParser(INT8, safe);
pg.types.setTypeParser(INT8_ARRAY, (text) => (text === '{}' ? [] : text.slice(1, -1).split(',').map(safe)));

export interface PoolOptions {
  readonly poolSize: number;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  readonly entities: EntityTarget<ObjectLiteral>[];
  /** How long a statement may take, ms: the server's limit; by default 15 s. */
  readonly statementTimeoutMs?: number;
  /** Server settings of each connection, besides `statement_timeout`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** DATABASE_POOLER=transaction: nothing may outlive a transaction, neither prepared statements nor settings. */
  readonly pooled?: boolean;
}

/** A pool of connections under TypeORM. Ten serve two cores better than twenty. */
export async function openDataSource(url: string, options: PoolOptions): Promise<DataSource> {
  const { statementTimeoutMs = STATEMENT_TIMEOUT_MS } = options;
  const source = new DataSource({
    type: 'postgres',
    url,
    applicationName: options.applicationName,
    poolSize: options.poolSize,
    connectTimeoutMS: 5_000,
    entities: options.entities as never,
    synchronize: false,
    migrationsRun: false,
    logging: false,
    installExtensions: false,
    extra: {
      keepAlive: true,
      pipeline: true,
      // Of a statement that is only slow the server's answer, its cancellation, comes first; a half-open connection answers nothing
      // for ever, and past this the pool throws it away.
      query_timeout: statementTimeoutMs + ANSWER_LATE_MS,
      ...(!options.pooled && {
        options: serverSettings({
          ...NEVER_COMPILED,
          statement_timeout: `${statementTimeoutMs}`,
          ...options.settings,
        }),
      }),
    },
  });
  if (options.pooled) unprepared.add(source);
  await source.initialize();
  const pool = poolOf(source);
  // Of a connection that dies whoever has it learns by his statement; without a listener the process would end.
  pool.on('connect', (client) => client.on('error', () => undefined));
  pool.on('release', (error: unknown) => {
    if (isSilence(error)) dropIdle(pool);
  });
  return source;
}

/**
 * Kept plans look dear by old statistics, and a server with LLVM (the official image) would compile them anew for each statement:
 * 660 ms for a claim of 1.4 ms.
 */
const NEVER_COMPILED = { jit: 'off' };

/** Default of `statementTimeoutMs`, ms. */
const STATEMENT_TIMEOUT_MS = 15_000;
/** How much later than the server's limit its answer may come, ms. */
const ANSWER_LATE_MS = 1_000;

/**
 * Ends the connections that lie idle. Called when one was given up for its silence: the others go the same way, and whoever took
 * one of them next would wait as long again.
 */
function dropIdle(pool: pg.Pool): void {
  for (let n = pool.idleCount; n > 0; n -= 1)
    pool.connect().then(
      (client) => {
        client.release(true);
        // The farewell of a silent one would never be answered.
        (client as unknown as { connection: { stream: Duplex } }).connection.stream.destroy();
      },
      // Nothing is dropped from a pool that ends, or whose server is away.
      () => undefined,
    );
}

const serverSettings = (settings: Readonly<Record<string, string>>): string =>
  Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ');

const unprepared = new WeakSet<DataSource>();

/** A statement as node-pg takes it: with its name, under which a connection keeps it prepared, or without behind a pooler. */
export const statementFor = (
  source: DataSource,
  { name, text }: Sql,
  values: readonly unknown[],
): pg.QueryConfig => {
  const statement = {
    text,
    values: values.map((value) => (Array.isArray(value) ? arrayLiteral(value) : value)),
  };
  return unprepared.has(source) ? statement : { name, ...statement };
};

/** The pool under a data source, for what TypeORM has no word for: LISTEN, COPY, the log adapter. */
export const poolOf = (source: DataSource): pg.Pool =>
  (source.driver as unknown as { master: pg.Pool }).master;
