import { sql } from '../../../platform/database/sql.js';
import type { BackgroundTx, BackgroundWork } from '../../../platform/database/unit-of-work.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';

const MISSING = sql(
  'maintenance.missing_partitions',
  `SELECT parent AS "table", month, in_default AS "inDefault" FROM app.missing_partitions($1)`,
);
const STATUS = sql(
  'maintenance.partition_status',
  `SELECT parent AS "table", partition, month, attached, rows, bytes, oldest, newest, detached_at AS "detachedAt",
          exported_at AS "exportedAt" FROM app.partition_status($1) ORDER BY parent, month NULLS LAST`,
);
const HOLDS = sql(
  'maintenance.partition_holds',
  `SELECT reason, events FROM app.partition_holds($1, $2) ORDER BY reason`,
);
const TODAY = sql('maintenance.today', `SELECT (now() AT TIME ZONE 'UTC')::date AS today`);
const MAKE = sql('maintenance.make_partition', `SELECT app.make_partition($1, $2) AS moved`);
const CHECK = sql('maintenance.check_partition', `SELECT app.check_partition($1, $2, $3) AS result`);
const DETACH = sql('maintenance.detach_partition', `SELECT app.detach_partition($1, $2, $3)`);
const DROP = sql('maintenance.drop_partition', `SELECT app.drop_partition($1, $2)`);
const EXPORTED = sql('maintenance.partition_exported', `SELECT app.record_partition_export($1, $2, $3)`);

/** A month that is not there, and how many of its rows lie in the default partition. */
export interface MissingMonth {
  readonly table: string;
  readonly month: IsoDate;
  readonly inDefault: number;
}

/** A partition as it stands; `month` (its first day) is null for the default one. */
export interface PartitionRow {
  readonly table: string;
  readonly partition: string;
  readonly month: IsoDate | null;
  readonly attached: boolean;
  /** The planner's estimate; counted in a default partition. */
  readonly rows: number;
  readonly bytes: number;
  /** Null unless asked for, and when there is no row. */
  readonly oldest: Date | null;
  readonly newest: Date | null;
  readonly detachedAt: Date | null;
  readonly exportedAt: Date | null;
}

/** Why a month may not go; `events` is null where there is nothing to count. */
export interface Hold {
  readonly reason: string;
  readonly events: number | null;
}

/** The functions of the database that look after months; each checks for itself what it may do. */
export class PartitionStore {
  constructor(private readonly work: BackgroundWork) {}

  missing(monthsAhead: number): Promise<MissingMonth[]> {
    return this.work.query<MissingMonth>(MISSING, [monthsAhead]);
  }

  /** @param withTimes reads every row for the oldest and the newest */
  status(withTimes: boolean): Promise<PartitionRow[]> {
    return this.work.query<PartitionRow>(STATUS, [withTimes]);
  }

  holds(table: string, month: IsoDate): Promise<Hold[]> {
    return this.work.query<Hold>(HOLDS, [table, month]);
  }

  /** By the database's clock, which decides what is due. */
  async today(): Promise<IsoDate> {
    const [row] = await this.work.query<{ today: IsoDate }>(TODAY, []);
    return row!.today;
  }

  /** @returns rows that it took out of the default partition */
  async make(table: string, month: IsoDate): Promise<number> {
    const [row] = await this.work.query<{ moved: number }>(MAKE, [table, month]);
    return row!.moved;
  }

  /** Walks on through a month, at most `limit` events. */
  async check(table: string, month: IsoDate, limit: number): Promise<'passed' | 'held' | 'more'> {
    const [row] = await this.work.query<{ result: 'passed' | 'held' | 'more' }>(CHECK, [table, month, limit]);
    return row!.result;
  }
}

/** @throws SQLSTATE 55000 when the month is held or not due, 55P03 when the lock can't be had */
export const detach = (
  tx: BackgroundTx,
  table: string,
  month: IsoDate,
  keepMonths: number,
): Promise<object[]> => tx.query(DETACH, [table, month, keepMonths]);

/** @throws SQLSTATE 55000 when the month is held, not exported where it must be, or detached too lately */
export const drop = (tx: BackgroundTx, partition: string, days: number): Promise<object[]> =>
  tx.query(DROP, [partition, days]);

/** @throws SQLSTATE 55000 unless `rows` is all that the month has */
export const recordExport = (
  tx: BackgroundTx,
  partition: string,
  rows: number,
  sha256: string,
): Promise<object[]> => tx.query(EXPORTED, [partition, rows, sha256]);
