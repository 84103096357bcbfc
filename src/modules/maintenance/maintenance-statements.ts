import { sql } from '../../platform/database/sql.js';

/** Forgets the answers of old idempotency keys, at most $2 at once; the index of their age finds them block by block. */
export const PRUNE_KEYS = sql(
  'maintenance.prune_idempotency_keys',
  `WITH old AS (
     SELECT tenant_id, principal, key FROM idempotency_keys
      WHERE created_at < now() - $1 * interval '1 day' LIMIT $2)
   DELETE FROM idempotency_keys k USING old
    WHERE k.tenant_id = old.tenant_id AND k.principal = old.principal AND k.key = old.key
   RETURNING 1`,
);
