import { sql } from '../../../platform/database/sql.js';
import type { BackgroundTx, UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { PLATFORM_TENANT_ID } from '../../../platform/kernel/ids.js';
import { queueHeads } from '../../outbox/contract/queue-heads.js';
import type { ReliabilityFigures } from '../domain/reliability.js';

/** Rows of one slot that are counted; more are estimated, all slots together. */
const COUNTED_PER_SLOT = 6_250;
/** Rows of dead letters, blocked keys and stalls that are counted, each. */
const COUNTED = 10_000;
/** Tenants of a slot and priority whose oldest event is looked at. */
const TENANTS = 64;

// Counted up to a bound: count(*) of a million rows takes longer than the figure is worth.
const BACKLOG = sql(
  'health.backlog',
  `SELECT s.slot, (SELECT count(*)::int FROM (SELECT FROM outbox_queue q WHERE q.slot = s.slot LIMIT ${COUNTED_PER_SLOT + 1}) c) AS n,
          (SELECT reltuples::bigint FROM pg_class WHERE oid = 'outbox_queue'::regclass) AS estimate,
          coalesce(extract(epoch FROM clock_timestamp() - (
            SELECT min(h.occurred_at) FROM unnest('{0,1,10,11}'::smallint[]) AS p(priority) CROSS JOIN LATERAL (
              ${queueHeads({ slot: 's.slot', priority: 'p.priority', columns: ['occurred_at'] })}
              SELECT occurred_at FROM head LIMIT ${TENANTS}) h)), 0)::float8 AS age
     FROM generate_series(0, 15) AS s(slot) ORDER BY s.slot`,
);
const PARTITIONS = sql(
  'health.partitions',
  `SELECT partition, next_offset AS "nextOffset", extract(epoch FROM clock_timestamp() - committed_at)::float8 AS "commitAgeSeconds"
     FROM reservation_event_offsets WHERE consumer_group = $1 AND topic = $2 ORDER BY partition`,
);
const DEAD = sql(
  'health.dead_letters',
  `SELECT status AS name, count(*)::int AS n, max(retry_count) AS retries
     FROM (SELECT status, retry_count FROM dead_letters
            WHERE status IN ('DEAD', 'PARKED', 'REPLAYING') ORDER BY created_at LIMIT ${COUNTED}) d GROUP BY 1`,
);
const BLOCKED = sql(
  'health.blocked_keys',
  `SELECT status AS name, count(*)::int AS n FROM (SELECT status FROM outbox_blocked_keys LIMIT ${COUNTED}) b GROUP BY 1`,
);
const STALLED = sql(
  'health.stalled',
  `SELECT state AS name, count(*)::int AS n, count(exhausted_at)::int AS exhausted
     FROM (SELECT state, exhausted_at FROM lifecycle_stalls LIMIT ${COUNTED}) s GROUP BY 1`,
);
// One worker measures for all; what it writes is the lock.
const TURN = sql(
  'health.measuring_turn',
  `INSERT INTO reliability_figures AS f (measured_at, figures) VALUES (clock_timestamp(), '{}')
   ON CONFLICT (only_row) DO UPDATE SET measured_at = clock_timestamp()
   WHERE f.measured_at < clock_timestamp() - $1 * interval '1 ms' RETURNING only_row`,
);
const WRITE = sql(
  'health.write_figures',
  `UPDATE reliability_figures SET measured_at = clock_timestamp(), figures = $1`,
);
const READ = sql(
  'health.read_figures',
  `SELECT figures, extract(epoch FROM clock_timestamp() - measured_at)::float8 AS "ageSeconds" FROM reliability_figures`,
);

/** Figures and their age. */
export interface MeasuredFigures {
  readonly figures: ReliabilityFigures;
  readonly ageSeconds: number;
}

/** True if it is this worker's turn: nobody has measured for `everyMs`. Held to the end of the transaction. */
export const takeMeasuringTurn = async (tx: BackgroundTx, everyMs: number): Promise<boolean> =>
  (await tx.query(TURN, [everyMs])).length > 0;

/** Reads everything, in bounded statements. @param ends of the log's partitions, null while it doesn't answer */
export async function measure(
  tx: BackgroundTx,
  { group, topic }: { readonly group: string; readonly topic: string },
  ends: readonly bigint[] | null,
): Promise<ReliabilityFigures> {
  interface Count {
    name: string;
    n: number;
  }
  const [slots, offsets, dead, blocked, stalled] = await Promise.all([
    tx.query<{ n: number; estimate: number; age: number }>(BACKLOG, []),
    tx.query<{ partition: number; nextOffset: number; commitAgeSeconds: number | null }>(PARTITIONS, [
      group,
      topic,
    ]),
    tx.query<Count & { retries: number }>(DEAD, []),
    tx.query<Count>(BLOCKED, []),
    tx.query<Count & { exhausted: number }>(STALLED, []),
  ]);
  const counted = slots.reduce((total, { n }) => total + n, 0);
  const estimated = slots.some(({ n }) => n > COUNTED_PER_SLOT);
  const partitions = offsets.map((one) => {
    const end = ends?.[one.partition];
    return { ...one, lag: end === undefined ? null : Math.max(0, Number(end) - one.nextOffset) };
  });
  const ages = offsets.flatMap(({ commitAgeSeconds }) => commitAgeSeconds ?? []);
  const by = <T extends string>(rows: readonly Count[], names: readonly T[]): Record<T, number> =>
    Object.fromEntries(names.map((name) => [name, rows.find((row) => row.name === name)?.n ?? 0])) as Record<
      T,
      number
    >;
  return {
    backlog: estimated ? Math.max(counted, slots[0]!.estimate) : counted,
    backlogEstimated: estimated,
    backlogBySlot: slots.map(({ n }) => n),
    backlogAgeSeconds: Math.max(...slots.map(({ age }) => age)),
    logAnswers: ends !== null,
    partitions,
    lastCommitSeconds: ages.length === 0 ? null : Math.min(...ages),
    deadLetters: by(dead, ['DEAD', 'PARKED', 'REPLAYING']),
    deadLetterRetries: Math.max(0, ...dead.map(({ retries }) => retries)),
    blockedKeys: by(blocked, ['FAILED', 'PARKED', 'DLQ']),
    stalled: by(stalled, ['PERSISTED', 'PUBLISHED', 'PARKED', 'DLQ']),
    stalledExhausted: stalled.reduce((total, { exhausted }) => total + exhausted, 0),
  };
}

export async function writeFigures(tx: BackgroundTx, figures: ReliabilityFigures): Promise<void> {
  await tx.query(WRITE, [JSON.stringify(figures)]);
}

/** The last figures; null: nobody has measured yet. One row, whoever asks how often. */
export async function readFigures(uow: UnitOfWork): Promise<MeasuredFigures | null> {
  const [row] = await uow.run({ tenantId: PLATFORM_TENANT_ID }, 'health.read_figures', (tx) =>
    tx.query<MeasuredFigures>(READ, []),
  );
  return row ?? null;
}
