import pg from 'pg';
import { DataSource, type EntityTarget, type ObjectLiteral } from 'typeorm';

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

/**
 * A pool of connections under TypeORM. Ten serve two cores better than twenty.
 * @param applicationName shown in pg_stat_activity
 */
export async function openDataSource(
  url: string,
  options: {
    poolSize: number;
    applicationName: string;
    entities: EntityTarget<ObjectLiteral>[];
    /** Server settings of each connection, besides `statement_timeout`. */
    settings?: Readonly<Record<string, string>>;
  },
): Promise<DataSource> {
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
      // A half-open connection answers nothing for ever: past this the pool throws it away.
      query_timeout: 20_000,
      options: Object.entries({ statement_timeout: '15s', ...options.settings })
        .map(([name, value]) => `-c ${name}=${value}`)
        .join(' '),
    },
  });
  return source.initialize();
}

/** The pool under a data source, for what TypeORM has no word for: LISTEN, COPY, the log adapter. */
export const poolOf = (source: DataSource): pg.Pool =>
  (source.driver as unknown as { master: pg.Pool }).master;
