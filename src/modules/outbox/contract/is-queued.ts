import { sql } from '../../../platform/database/sql.js';
import type { Tx } from '../../../platform/database/unit-of-work.js';

const LOCK = sql(
  'outbox.lock_dedupe_key',
  `SELECT pg_advisory_xact_lock(hashtextextended('outbox.dedupe ' || $1 || ' ' || $2, 0))`,
);
const STANDING = sql(
  'outbox.dedupe_key_standing',
  `SELECT FROM outbox_queue WHERE tenant_id = $1 AND dedupe_key = $2`,
);

/**
 * Whether an event with this dedupe key waits to be published. A command whose event carries one asks before it raises its
 * aggregate's version, and changes nothing where the answer is yes: so the versions stay without gaps. Holds a lock on the key to
 * the end of the transaction; a unique index repeats the rule.
 */
export async function isQueued(tx: Tx, dedupeKey: string): Promise<boolean> {
  // Two statements: the second sees what the lock's last holder committed.
  await tx.query(LOCK, [tx.tenantId, dedupeKey]);
  return (await tx.query(STANDING, [tx.tenantId, dedupeKey])).length > 0;
}
