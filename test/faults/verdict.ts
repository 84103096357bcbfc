import { until } from '../support/http-client.js';
import { ask, pathFaults } from '../support/house-sql.js';
import type { Evidence } from './evidence.js';
import type { Load } from './load.js';
import type { Tail } from './tail.js';

/** What a run came to, its dead letters replayed. All but the first two and the last two must be 0. */
export interface Verdict {
  /** Requests that were answered with 2xx. */
  readonly acknowledged: number;
  /** Of these, those whose event was applied. */
  readonly applied: number;
  /** Acknowledged, and not applied or not even there. */
  readonly lost: number;
  /** Effects beyond those that were asked for: an event applied again, a reservation or version that nobody was told of. */
  readonly twice: number;
  /** Events before an earlier one of their key: at their first appearance in the log, or when they were applied. */
  readonly inverted: number;
  /** Events neither applied nor dead-lettered nor parked. */
  readonly orphaned: number;
  /** Nights whose counters or read model differ from a recount of the reservations, gaps in versions, blocked keys. */
  readonly unlikeRecount: number;
  /** Dead letters that were not applied by their replay: all but those of strangers that nobody could mend and that were skipped. */
  readonly notReplayable: number;
  /** All of them. */
  readonly deadLetters: number;
  /** Records in the log beyond one for each event. */
  readonly duplicatesDelivered: number;
}

/** What clients were told: the latest version of each reservation. */
export type Told = Pick<Load, 'acknowledged'> & {
  readonly told: ReadonlyMap<string, { readonly id: string; readonly version: number }>;
};

const QUIET_MS = 120_000;

/** Resolves once nothing moves any more: the queue is empty and everything in the log is applied. False: not in two minutes. */
export async function quiet(evidence: Evidence): Promise<boolean> {
  const still = async (): Promise<boolean> => (await evidence.queued()) === 0 && (await evidence.lag()) === 0;
  let calm = 0;
  // Several times in a row: between queue and log an event is in neither for as long as the drill needs to hear of it.
  return until('quiet', async () => (calm = (await still()) ? calm + 1 : 0) >= 10, QUIET_MS, 50).then(
    () => true,
    () => false,
  );
}

interface Counts {
  readonly applied: number;
  readonly missing: number;
  readonly behind: number;
  readonly ahead: number;
  readonly untold: number;
}

/** Every version of which a client was told, against the inbox; every reservation, against what its client was told. */
const TOLD = `
  WITH told AS (SELECT * FROM unnest($1::uuid[], $2::int[]) AS t(id, version)),
  versions AS (
    SELECT t.id, v.seq, EXISTS (SELECT FROM event_inbox i WHERE i.aggregate_id = t.id AND i.key_seq = v.seq) AS applied
      FROM told t CROSS JOIN LATERAL generate_series(1, t.version) AS v(seq)),
  stored AS (
    SELECT t.id AS told, t.version AS expected, r.version FROM told t FULL JOIN reservations r ON r.reservation_id = t.id)
  SELECT (SELECT count(*)::int FROM versions WHERE applied) AS applied,
         (SELECT count(*)::int FROM versions WHERE NOT applied) AS missing,
         (SELECT coalesce(sum(expected - coalesce(version, 0)), 0)::int FROM stored WHERE expected > coalesce(version, 0)) AS behind,
         (SELECT coalesce(sum(version - expected), 0)::int FROM stored WHERE version > expected) AS ahead,
         (SELECT count(*)::int FROM stored WHERE told IS NULL) AS untold`;

const APPLIED_OUT_OF_ORDER = `
  SELECT count(*)::int AS n FROM (
    SELECT applied_at < lag(applied_at) OVER (PARTITION BY tenant_id, aggregate_id ORDER BY key_seq) AS inverted
      FROM event_inbox) i WHERE inverted`;

const ORPHANS = `
  SELECT count(*)::int AS n FROM outbox_events e
   WHERE NOT EXISTS (SELECT FROM event_inbox i
                      WHERE (i.tenant_id, i.aggregate_id, i.key_seq) = (e.tenant_id, e.aggregate_id, e.key_seq))
     AND NOT EXISTS (SELECT FROM dead_letters d WHERE (d.tenant_id, d.event_id) = (e.tenant_id, e.event_id))
     AND NOT EXISTS (SELECT FROM outbox_blocked_keys b
                      WHERE (b.tenant_id, b.aggregate_id) = (e.tenant_id, e.aggregate_id) AND b.key_seq <= e.key_seq)`;

/** Ours is what the outbox knows; mended, what has other data than were delivered. */
const LETTERS = `
  SELECT count(*)::int AS all, count(*) FILTER (WHERE status <> 'RESOLVED' AND (status <> 'SKIPPED' OR mended OR ours))::int AS "notReplayable"
    FROM (SELECT status, original_value IS NOT NULL AS mended,
                 EXISTS (SELECT FROM outbox_events e WHERE (e.tenant_id, e.event_id) = (d.tenant_id, d.event_id)) AS ours
            FROM dead_letters d) letters`;

/** Compares what clients were told with what became of it. Once all is quiet: before, what is on its way counts as lost. */
export async function judge(superUrl: string, load: Told, tail: Tail): Promise<Verdict> {
  const told = [...load.told.values()];
  const values = [told.map(({ id }) => id), told.map(({ version }) => version)];
  const [counts] = await ask<Counts>(superUrl, TOLD, values);
  const [inbox] = await ask<{ n: number }>(superUrl, APPLIED_OUT_OF_ORDER);
  const [orphans] = await ask<{ n: number }>(superUrl, ORPHANS);
  const [letters] = await ask<{ all: number; notReplayable: number }>(superUrl, LETTERS);
  const events = await ask<{ id: string }>(superUrl, `SELECT event_id AS id FROM outbox_events`);
  const faults = await pathFaults(superUrl);
  const { applied, missing, behind, ahead, untold } = counts!;
  return {
    acknowledged: load.acknowledged,
    applied,
    lost: missing + behind,
    twice: faults['appliedTwice']! + ahead + untold,
    inverted: tail.inversions + inbox!.n,
    orphaned: orphans!.n,
    unlikeRecount:
      faults['occupancyUnlikeRecount']! +
      faults['countersUnlikeRecount']! +
      faults['capacityUnlikeRecount']! +
      faults['gaps']! +
      faults['blocked']!,
    notReplayable: letters!.notReplayable,
    deadLetters: letters!.all,
    duplicatesDelivered: events.reduce((sum, { id }) => sum + Math.max(0, tail.timesOf(id) - 1), 0),
  };
}
