import { setTimeout as sleep } from 'node:timers/promises';
import { partitionOf } from '../../src/modules/outbox/domain/slots.js';
import { SLOTS } from '../../src/modules/outbox/contract/events.js';
import { until } from '../support/http-client.js';
import type { Member } from './member.js';
import type { Random } from './random.js';
import type { Stage } from './stage.js';
import { TOPIC, type Tail } from './tail.js';

/** What was found in the hands of a process: the slots whose events it concerns. */
export interface Finding {
  readonly slots: readonly number[];
}

/** Looks at a frozen process; null when there is nothing in its hands. */
export type Look = (pid: number) => Promise<Finding | null>;

/** The owner of a lease or partition, as it names itself: `<host>:<pid>:<id>`. */
const OWNED = `split_part(owner, ':', 2) = $1::text`;
/** As `slotOf` has it. */
const SLOT_OF_KEY = `('x' || right(aggregate_id::text, 1))::bit(4)::int`;
/** A process is frozen this often in search of a moment at which it holds something, and looked at so often each time. */
const MOMENTS = 60;
const LOOKS = 4;
const LOOK_PAUSE_MS = 5;
const RELAY_PATIENCE_MS = 5_000;
/** How long an event's way to its effect is waited for, ms; much longer than it may take. */
const RECOVERY_PATIENCE_MS = 90_000;

/** Questions to database and log about what a fault hit, and what came after. */
export class Evidence {
  constructor(
    private readonly stage: Stage,
    private readonly tail: Tail,
  ) {}

  /** The relay has sent what it has not acknowledged: the log holds events that are still in the queue, in its slots. */
  sentUnacknowledged: Look = async (pid) => {
    const rows = await this.stage.cluster.ask<{ slot: number; eventId: string }>(
      `SELECT slot, event_id AS "eventId" FROM outbox_queue q JOIN outbox_slots USING (slot)
         JOIN outbox_events e USING (tenant_id, aggregate_id, key_seq, occurred_at) WHERE ${OWNED}`,
      [pid],
    );
    const sent = rows.filter(({ eventId }) => this.tail.timesOf(eventId) > 0);
    return sent.length > 0 ? { slots: await this.slotsOf(pid) } : null;
  };

  /** The log holds records of the consumer's partitions that it has not committed. */
  fetchedUncommitted: Look = async (pid) => {
    const rows = await this.stage.cluster.ask<{ partition: number; next: string }>(
      `SELECT partition, next_offset::text AS next FROM reservation_event_offsets WHERE ${OWNED} AND topic = '${TOPIC}'`,
      [pid],
    );
    const behind = rows.filter(({ partition, next }) => (this.tail.ends.get(partition) ?? 0n) > BigInt(next));
    if (behind.length === 0) return null;
    const partitions = await this.partitions();
    const held = new Set(rows.map(({ partition }) => partition));
    return { slots: allSlots.filter((slot) => held.has(partitionOf(slot, partitions))) };
  };

  /** The slots that the relay of a process holds. */
  async slotsOf(pid: number): Promise<number[]> {
    const rows = await this.stage.cluster.ask<{ slot: number }>(
      `SELECT slot FROM outbox_slots WHERE ${OWNED}`,
      [pid],
    );
    return rows.map(({ slot }) => slot);
  }

  /** The worker that holds the most slots (`relay`) or partitions (`consumer`) just now, of those that are up. */
  async busiest(what: 'relay' | 'consumer'): Promise<Member> {
    const table = what === 'relay' ? 'outbox_slots' : 'reservation_event_offsets';
    const rows = await this.stage.cluster.ask<{ pid: string }>(
      `SELECT split_part(owner, ':', 2) AS pid FROM ${table} WHERE owner IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC`,
    );
    const up = this.stage.workers.filter((worker) => worker.up);
    const found = rows
      .map(({ pid }) => up.find((worker) => worker.pid === Number(pid)))
      .find((worker) => worker);
    return found ?? up[0]!;
  }

  /**
   * Freezes the process at moments of chance until `look` finds something in its hands, and leaves it frozen.
   * Null: nothing was found, and it runs on.
   */
  async catchWith(member: Member, look: Look, random: Random): Promise<Finding | null> {
    for (let moment = 0; moment < MOMENTS; moment += 1) {
      await sleep(random.between(1, 25));
      member.signal('SIGSTOP');
      // The log may tell us of an append a few milliseconds after it took it.
      for (let n = 0; n < LOOKS; n += 1) {
        const found = await look(member.pid);
        if (found) return found;
        await sleep(LOOK_PAUSE_MS);
      }
      member.signal('SIGCONT');
    }
    return null;
  }

  /** Transactions that others have open in the database. */
  async openTransactions(): Promise<number> {
    const [row] = await this.stage.cluster.ask<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_stat_activity
        WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND usename IN ('tartware_app', 'tartware_worker')`,
    );
    return row!.n;
  }

  /** Whether anything of these slots was acknowledged by the log after `at`, waited for a while. */
  async relayed(slots: readonly number[], at: number): Promise<boolean> {
    return until(
      'something relayed',
      async () => {
        const [row] = await this.stage.cluster.ask<{ found: boolean }>(
          `SELECT EXISTS (SELECT FROM event_receipts WHERE published_at > to_timestamp($1::float8 / 1000)
              AND ${SLOT_OF_KEY} = ANY($2)) AS found`,
          [at, slots],
        );
        return row!.found;
      },
      RELAY_PATIENCE_MS,
    ).catch(() => false);
  }

  /** Events that the log has not acknowledged. */
  async queued(): Promise<number> {
    const [row] = await this.stage.cluster.ask<{ n: number }>(`SELECT count(*)::int AS n FROM outbox_queue`);
    return row!.n;
  }

  /** Records that are in the log and not applied, over all partitions. */
  async lag(): Promise<number> {
    const rows = await this.stage.cluster.ask<{ partition: number; next: string }>(
      `SELECT partition, next_offset::text AS next FROM reservation_event_offsets WHERE topic = '${TOPIC}'`,
    );
    const next = new Map(rows.map((row) => [row.partition, BigInt(row.next)]));
    return [...this.tail.ends].reduce(
      (sum, [partition, end]) => sum + Math.max(0, Number(end - (next.get(partition) ?? 0n))),
      0,
    );
  }

  /**
   * Milliseconds from `at` until the first event that was committed after it, in these slots, was applied.
   * @param at ms since 1970 @param slots null for all @throws Error when it takes longer than a minute and a half
   */
  async recovery(at: number, slots: readonly number[] | null): Promise<number> {
    interface Row {
      tenant: string;
      id: string;
      seq: number;
    }
    const first = await until(
      'an event after the fault',
      async () => {
        const [row] = await this.stage.cluster.ask<Row>(
          `SELECT tenant_id AS tenant, aggregate_id AS id, key_seq AS seq FROM outbox_events
            WHERE occurred_at > to_timestamp($1::float8 / 1000)
              AND ${SLOT_OF_KEY} = ANY($2) ORDER BY occurred_at LIMIT 1`,
          [at, slots ?? allSlots],
        );
        return row;
      },
      RECOVERY_PATIENCE_MS,
    );
    return until(
      `event ${first.seq} of ${first.id} applied`,
      async () => {
        const [row] = await this.stage.cluster.ask<{ ms: number }>(
          `SELECT extract(epoch FROM applied_at)::float8 * 1000 - $4::float8 AS ms FROM event_inbox
            WHERE tenant_id = $1 AND aggregate_id = $2 AND key_seq = $3`,
          [first.tenant, first.id, first.seq, at],
        );
        return row?.ms;
      },
      RECOVERY_PATIENCE_MS,
    );
  }

  private async partitions(): Promise<number> {
    return this.stage.log.partitionCount(TOPIC);
  }
}

const allSlots: readonly number[] = Array.from({ length: SLOTS }, (_, slot) => slot);
