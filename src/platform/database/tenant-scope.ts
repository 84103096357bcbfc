import { sql } from './sql.js';

/** The scope of the tenant $1. A bound set_config, and not SET: the tenant never becomes part of a statement's text. */
const SET_TENANT = `set_config('app.tenant_id', $1, true)`;

/** The tenant $1, and which of the advisory locks $2 the transaction got, in their order; null for none. */
export const SCOPE = sql(
  'uow.scope',
  `SELECT ${SET_TENANT},
    (SELECT array_agg(pg_try_advisory_xact_lock(hashtextextended(k, 0)) ORDER BY o)
       FROM unnest($2::text[]) WITH ORDINALITY AS l(k, o)) AS locked`,
);

/** The tenant $1, and no writing. */
export const READ_SCOPE = sql(
  'uow.read_scope',
  `SELECT ${SET_TENANT}, set_config('transaction_read_only', 'on', true)`,
);
