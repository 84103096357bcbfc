import { sql } from '../../../platform/database/sql.js';
import type { BackgroundTx, BackgroundWork } from '../../../platform/database/unit-of-work.js';
import { PRIORITIES } from '../contract/events.js';
import { queueHeads } from '../contract/queue-heads.js';
import type { OutboxEvent } from '../domain/envelope.js';
import type { Refusal } from '../domain/refusal.js';
import type { HeldSlot } from './lease-store.js';

/** An event that the log has, and where. */
export interface SentEvent {
  readonly event: OutboxEvent;
  readonly partition: number;
  readonly offset: bigint;
}

/** An event that the log refused, and what follows. */
export interface RefusedEvent {
  readonly event: OutboxEvent;
  readonly refusal: Refusal;
  readonly cause: string;
}

/** A part of the queue that a claim reads: of one slot and priority, at most `limit` events, beginning with the tenant `from`. */
export interface QueueRange {
  readonly slot: number;
  readonly priority: number;
  readonly from: string;
  readonly limit: number;
}

/** Where a row of the queue stands. */
export type QueuePlace = Pick<OutboxEvent, 'slot' | 'priority' | 'tenantId' | 'queueId'>;

/** What a claim found. */
export interface Claimed {
  /** To be sent, by slot, priority and place in the queue. */
  readonly events: readonly OutboxEvent[];
  /** Rows of keys that stand still: for the shelf. */
  readonly parked: readonly QueuePlace[];
  /** Of each range that holds more tenants than a claim reads: the last that was read. */
  readonly further: readonly {
    readonly slot: number;
    readonly priority: number;
    readonly tenantId: string;
  }[];
}

/** Tenants of a slot and priority that one claim takes into account; the next one goes on behind them. */
const TENANTS = 64;

// From the head of each tenant's queue, always: reading on from the last id would lose the rows that commit late. Every tenant
// gets its share of the batch, so that one's flood delays nobody else's event; its rows are read from the head that was found, or
// what is dead before it would be waded through twice. The event is fetched by its key, row by row
// (LIMIT 1 keeps the planner from reading the whole log instead). The arrays stand in sub-selects: seeing their lengths, the
// planner would find every claim's own plan cheaper than the one it keeps, and plan each anew, for longer than it runs.
const CLAIM = sql(
  'outbox.claim',
  `SELECT mine.slot, mine.priority, t.tenant_id AS "tenantId", t.tenants, x.*
     FROM unnest((SELECT $1::smallint[]), (SELECT $2::smallint[]), (SELECT $3::uuid[]), (SELECT $4::int[]))
            AS mine(slot, priority, first_tenant, most)
    CROSS JOIN LATERAL (SELECT low_water FROM outbox_slots s WHERE s.slot = mine.slot LIMIT 1) s
    CROSS JOIN LATERAL (
      SELECT f.tenant_id, f.queue_id, count(*) OVER ()::int AS tenants FROM (
        ${queueHeads({ slot: 'mine.slot', priority: 'mine.priority', tenants: '>= mine.first_tenant', lowWater: 's.low_water', columns: ['queue_id'] })}
        SELECT tenant_id, queue_id FROM head LIMIT ${TENANTS}) f) t
     LEFT JOIN LATERAL (
      SELECT q.queue_id::text AS "queueId", q.aggregate_id AS "aggregateId", q.key_seq AS "keySeq",
             to_char(q.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "occurredAt", q.parked, q.attempts,
             e.event_id AS "eventId", e.aggregate_type AS "aggregateType", e.event_type AS type, e.event_version AS version,
             e.data::text AS data, e.correlation_id AS "correlationId", e.traceparent
        FROM (
          SELECT q.queue_id, q.aggregate_id, q.key_seq, q.occurred_at, coalesce(b.attempts, 0) AS attempts,
                 coalesce(b.status <> 'FAILED', false) AS parked
            FROM outbox_queue q
            LEFT JOIN LATERAL (
              SELECT b.status, b.attempts, b.next_attempt_at FROM outbox_blocked_keys b
               WHERE b.tenant_id = q.tenant_id AND b.aggregate_id = q.aggregate_id LIMIT 1) b ON true
           WHERE q.slot = mine.slot AND q.priority = mine.priority AND q.tenant_id = t.tenant_id AND q.queue_id >= t.queue_id
             AND (b.status IS DISTINCT FROM 'FAILED' OR b.next_attempt_at <= statement_timestamp())
           ORDER BY q.queue_id LIMIT greatest(1, mine.most / t.tenants)) q
       CROSS JOIN LATERAL (
          SELECT * FROM outbox_events e
           WHERE e.tenant_id = t.tenant_id AND e.aggregate_id = q.aggregate_id AND e.key_seq = q.key_seq
             AND e.occurred_at = q.occurred_at LIMIT 1) e
      ) x ON true
    ORDER BY mine.slot, mine.priority, x."queueId"::bigint`,
);

// One statement: owner and epoch of every slot (locked for the moment, so that no lease changes hands between check and
// commit), the queue, the receipts, and the blocks that this success ends.
const ACKNOWLEDGE = sql(
  'outbox.acknowledge',
  `WITH held AS (
     SELECT s.slot FROM outbox_slots s JOIN unnest($2::smallint[], $3::bigint[]) AS mine(slot, epoch) USING (slot)
      WHERE s.owner = $1 AND s.epoch = mine.epoch ORDER BY s.slot FOR SHARE OF s),
   gone AS (
     DELETE FROM outbox_queue q
      USING unnest($4::smallint[], $5::smallint[], $6::uuid[], $7::bigint[], $8::int[], $9::bigint[])
              AS sent(slot, priority, tenant_id, queue_id, partition, log_offset), held
      WHERE held.slot = sent.slot AND q.slot = sent.slot AND q.priority = sent.priority AND q.tenant_id = sent.tenant_id
        AND q.queue_id = sent.queue_id
      RETURNING q.tenant_id, q.aggregate_id, q.key_seq, q.occurred_at, sent.partition, sent.log_offset),
   receipts AS (
     INSERT INTO event_receipts AS r (tenant_id, aggregate_id, key_seq, occurred_at, published_at, partition, log_offset)
     SELECT tenant_id, aggregate_id, key_seq, occurred_at, clock_timestamp(), partition, log_offset FROM gone
     ON CONFLICT (tenant_id, aggregate_id, key_seq, occurred_at) DO UPDATE SET partition = excluded.partition,
       log_offset = excluded.log_offset, requeued_at = NULL WHERE r.requeued_at IS NOT NULL),
   unblocked AS (
     DELETE FROM outbox_blocked_keys b USING gone
      WHERE b.status = 'FAILED' AND b.tenant_id = gone.tenant_id AND b.aggregate_id = gone.aggregate_id)
   SELECT slot FROM held`,
);

// An operator's PARKED or DLQ stands over what a relay has to say.
const BLOCK = sql(
  'outbox.block_key',
  `INSERT INTO outbox_blocked_keys AS b (tenant_id, aggregate_id, key_seq, status, attempts, next_attempt_at, cause)
   VALUES ($1, $2, $3, $4, $5, clock_timestamp() + $6 * interval '1 ms', $7)
   ON CONFLICT (tenant_id, aggregate_id) DO UPDATE SET key_seq = excluded.key_seq, status = excluded.status,
     attempts = excluded.attempts, next_attempt_at = excluded.next_attempt_at, cause = excluded.cause, updated_at = now()
   WHERE b.status = 'FAILED'`,
);

// Given up, it is no longer in anybody's way: another event with its dedupe key may come.
const FORGET_DEDUPE = sql(
  'outbox.forget_dedupe_key',
  `UPDATE outbox_queue SET dedupe_key = NULL
    WHERE slot = $1 AND priority = $2 AND tenant_id = $3 AND queue_id = $4 AND dedupe_key IS NOT NULL`,
);

const HOLD = sql(
  'outbox.hold_slots',
  `SELECT s.slot FROM outbox_slots s JOIN unnest($2::smallint[], $3::bigint[]) AS mine(slot, epoch) USING (slot)
    WHERE s.owner = $1 AND s.epoch = mine.epoch ORDER BY s.slot FOR UPDATE OF s`,
);
const SHELVE = sql(
  'outbox.shelve',
  `UPDATE outbox_queue q SET priority = q.priority + 10
     FROM unnest($1::smallint[], $2::smallint[], $3::uuid[], $4::bigint[]) AS p(slot, priority, tenant_id, queue_id)
    WHERE q.slot = p.slot AND q.priority = p.priority AND q.tenant_id = p.tenant_id AND q.queue_id = p.queue_id
      AND EXISTS (SELECT FROM outbox_blocked_keys b
                   WHERE b.tenant_id = q.tenant_id AND b.aggregate_id = q.aggregate_id AND b.status <> 'FAILED')
   RETURNING q.slot`,
);

// Of a sequence that never gave a number the last value is 1 as well: taken for given, the first event would stay below the mark.
const LAST_ID = sql(
  'outbox.last_queue_id',
  `SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS last FROM outbox_queue_queue_id_seq`,
);
const WRITERS = sql(
  'outbox.writers',
  `SELECT virtualtransaction AS writer FROM pg_locks
    WHERE relation = 'outbox_queue'::regclass AND mode = 'RowExclusiveLock' AND granted
      -- A clone of this database on the same server has a table of the same number.
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
);
const RAISE = sql(
  'outbox.raise_low_water',
  `UPDATE outbox_slots s SET low_water = greatest(s.low_water, least($2::bigint, first.queue_id - 1))
     FROM unnest($1::smallint[]) AS mine(slot)
    CROSS JOIN LATERAL (SELECT low_water FROM outbox_slots o WHERE o.slot = mine.slot LIMIT 1) o
    CROSS JOIN LATERAL (
      SELECT min(h.queue_id) AS queue_id FROM unnest('{${PRIORITIES.join(',')}}'::smallint[]) AS p(priority)
       CROSS JOIN LATERAL (${queueHeads({ slot: 'mine.slot', priority: 'p.priority', lowWater: 'o.low_water', columns: ['queue_id'] })} SELECT queue_id FROM head) h) first
    WHERE s.slot = mine.slot AND s.low_water < coalesce(least($2::bigint, first.queue_id - 1), 0)`,
);

/** The hot queue, as a relay uses it. */
export class QueueStore {
  constructor(private readonly work: BackgroundWork) {}

  /** From the head of each tenant's queue, in order, without the keys that wait for their next try. */
  async claim(ranges: readonly QueueRange[]): Promise<Claimed> {
    const rows = await this.work.query<ClaimRow>(CLAIM, [
      ranges.map(({ slot }) => slot),
      ranges.map(({ priority }) => priority),
      ranges.map(({ from }) => from),
      ranges.map(({ limit }) => limit),
    ]);
    return claimed(rows);
  }

  /** Takes rows of keys that stand still out of the relays' sight, unless they were released meanwhile. Answers how many. */
  shelve(owner: string, held: readonly HeldSlot[], places: readonly QueuePlace[]): Promise<number> {
    return this.work.run('outbox.shelve', async (tx) => {
      const still = await holdSlots(tx, owner, held);
      const mine = places.filter(({ slot }) => still.has(slot));
      return mine.length === 0 ? 0 : (await tx.query(SHELVE, placeColumns(mine))).length;
    });
  }

  /** The last number that the queue gave, and the transactions that may still bring in rows with lower ones. */
  async writers(): Promise<{ readonly last: number; readonly writers: ReadonlySet<string> }> {
    // In this order: who took a number by now either shows in the second answer, or has ended.
    const [sequence] = await this.work.query<{ last: number }>(LAST_ID, []);
    const rows = await this.work.query<{ writer: string }>(WRITERS, []);
    return { last: sequence!.last, writers: new Set(rows.map(({ writer }) => writer)) };
  }

  /** Raises the slots' low-water marks to the first row that is there, to `last` at most: no lower number is still under way. */
  async raiseLowWater(owner: string, held: readonly HeldSlot[], last: number): Promise<void> {
    await this.work.run('outbox.raise_low_water', async (tx) => {
      // The lock first, in a statement of its own: what an operator released before is seen then, and what comes after waits.
      const still = await holdSlots(tx, owner, held);
      if (still.size > 0) await tx.query(RAISE, [[...still], last]);
    });
  }

  /**
   * Takes what was sent out of the queue and writes its receipts; blocks the keys of what was refused. Of the slots that
   * meanwhile went to another relay nothing is touched: their rows stay, and are sent again by their owner.
   * @returns the slots that were still held
   */
  async acknowledge(
    owner: string,
    held: readonly HeldSlot[],
    sent: readonly SentEvent[],
    refused: readonly RefusedEvent[],
  ): Promise<Set<number>> {
    const values = [
      owner,
      held.map(({ slot }) => slot),
      held.map(({ epoch }) => epoch),
      ...placeColumns(sent.map(({ event }) => event)),
      sent.map(({ partition }) => partition),
      sent.map(({ offset }) => offset.toString()),
    ];
    if (refused.length === 0) return slotsOf(await this.work.query<{ slot: number }>(ACKNOWLEDGE, values));
    return this.work.run('outbox.acknowledge', async (tx) => {
      const still = slotsOf(await tx.query<{ slot: number }>(ACKNOWLEDGE, values));
      for (const one of refused) if (still.has(one.event.slot)) await block(tx, one);
      return still;
    });
  }
}

/** A row of `CLAIM`: a tenant, and one of its events; none when all of its keys wait. */
type ClaimRow = Omit<OutboxEvent, 'queueId'> & {
  readonly queueId: string | null;
  readonly parked: boolean;
  readonly tenants: number;
};

function claimed(rows: readonly ClaimRow[]): Claimed {
  const events: OutboxEvent[] = [];
  const parked: QueuePlace[] = [];
  const last = new Map<string, { slot: number; priority: number; tenantId: string }>();
  for (const { parked: stands, tenants, ...row } of rows) {
    const { slot, priority, tenantId, queueId } = row;
    if (tenants === TENANTS) {
      const name = `${slot}/${priority}`;
      const known = last.get(name);
      if (!known || known.tenantId < tenantId) last.set(name, { slot, priority, tenantId });
    }
    if (queueId === null) continue;
    if (stands) parked.push({ slot, priority, tenantId, queueId });
    else events.push({ ...row, queueId });
  }
  return { events, parked, further: [...last.values()] };
}

const placeColumns = (places: readonly QueuePlace[]): unknown[] => [
  places.map(({ slot }) => slot),
  places.map(({ priority }) => priority),
  places.map(({ tenantId }) => tenantId),
  places.map(({ queueId }) => queueId),
];

const slotsOf = (rows: readonly { slot: number }[]): Set<number> => new Set(rows.map(({ slot }) => slot));

/** Those of the slots that are still the owner's, locked to the end of the transaction. */
const holdSlots = async (tx: BackgroundTx, owner: string, held: readonly HeldSlot[]): Promise<Set<number>> =>
  slotsOf(
    await tx.query<{ slot: number }>(HOLD, [
      owner,
      held.map(({ slot }) => slot),
      held.map(({ epoch }) => epoch),
    ]),
  );

/** In the acknowledgement's transaction, whose locks on the slots it needs. */
async function block(tx: BackgroundTx, { event, refusal, cause }: RefusedEvent): Promise<void> {
  await tx.query(BLOCK, [
    event.tenantId,
    event.aggregateId,
    event.keySeq,
    refusal.status,
    refusal.attempts,
    refusal.retryAfterMs,
    cause,
  ]);
  if (refusal.status === 'DLQ')
    await tx.query(FORGET_DEDUPE, [event.slot, event.priority, event.tenantId, event.queueId]);
}
