import { sql } from '../../../platform/database/sql.js';
import type { BackgroundTx, BackgroundWork } from '../../../platform/database/unit-of-work.js';

/** A slot in a relay's hands. A changed epoch means that it was in other hands since. */
export interface HeldSlot {
  readonly slot: number;
  readonly epoch: number;
}

const BEAT = sql(
  'outbox.relay_beat',
  `WITH gone AS (DELETE FROM outbox_relays WHERE alive_until < clock_timestamp() - interval '1 hour' AND owner <> $1)
   INSERT INTO outbox_relays AS r (owner, alive_until) VALUES ($1, clock_timestamp() + $2 * interval '1 ms')
   ON CONFLICT (owner) DO UPDATE SET alive_until = excluded.alive_until
   RETURNING (SELECT count(*)::int FROM outbox_relays o WHERE o.owner <> $1 AND o.alive_until > clock_timestamp()) AS others`,
);
const RENEW = sql(
  'outbox.renew_slots',
  `UPDATE outbox_slots SET lease_until = clock_timestamp() + $2 * interval '1 ms' WHERE owner = $1 RETURNING slot, epoch`,
);
const ACQUIRE = sql(
  'outbox.acquire_slots',
  `UPDATE outbox_slots s SET owner = $1, epoch = s.epoch + 1, lease_until = clock_timestamp() + $2 * interval '1 ms'
     FROM (SELECT slot FROM outbox_slots WHERE lease_until <= clock_timestamp() AND owner IS DISTINCT FROM $1
            ORDER BY slot LIMIT $3 FOR UPDATE SKIP LOCKED) free
    WHERE s.slot = free.slot RETURNING s.slot, s.epoch`,
);
const RELEASE = sql(
  'outbox.release_slots',
  `UPDATE outbox_slots SET owner = NULL, lease_until = '-infinity' WHERE owner = $1 AND slot = ANY($2::smallint[])`,
);
const RETIRE = sql('outbox.retire_relay', `DELETE FROM outbox_relays WHERE owner = $1`);

/** Leases of slots, by the database's clock throughout. */
export class LeaseStore {
  constructor(private readonly work: BackgroundWork) {}

  /** Shows the relay as alive, renews what it holds, and takes free slots up to `share(live relays)`. */
  async renew(
    owner: string,
    leaseMs: number,
    share: (relays: number) => number,
  ): Promise<{ readonly held: HeldSlot[]; readonly share: number }> {
    return this.work.run('outbox.renew_leases', async (tx) => {
      const [beat] = await tx.query<{ others: number }>(BEAT, [owner, leaseMs]);
      const held = await tx.query<HeldSlot>(RENEW, [owner, leaseMs]);
      const fair = share(1 + (beat?.others ?? 0));
      if (held.length < fair) held.push(...(await this.acquire(tx, owner, leaseMs, fair - held.length)));
      return { held: held.map(({ slot, epoch }) => ({ slot, epoch })), share: fair };
    });
  }

  /** Gives slots back at once; those that are no longer the owner's stay as they are. */
  async release(owner: string, slots: readonly number[]): Promise<void> {
    if (slots.length === 0) return;
    await this.work.run('outbox.release_slots', (tx) => tx.query(RELEASE, [owner, slots]));
  }

  /** Gives everything back: the relay stops. */
  async retire(owner: string, slots: readonly number[]): Promise<void> {
    await this.work.run('outbox.retire_relay', async (tx) => {
      await tx.query(RELEASE, [owner, slots]);
      await tx.query(RETIRE, [owner]);
    });
  }

  private acquire(tx: BackgroundTx, owner: string, leaseMs: number, count: number): Promise<HeldSlot[]> {
    return tx.query<HeldSlot>(ACQUIRE, [owner, leaseMs, count]);
  }
}
