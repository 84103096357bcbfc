import { sql } from './sql.js';

/** The scope of the tenant $1. A bound set_config, and not SET: the tenant never becomes part of a statement's text. */
const SET_TENANT = `set_config('app.tenant_id', $1, true)`;

/** What `SCOPE_LOCKING` fails with when another transaction holds one of the locks. */
export const LOCK_TAKEN = 'TW001';

// In a statement of its own: what comes after it sees whatever the locks' last holders committed.
const tried = (aggregate: string): string =>
  `(SELECT ${aggregate} FROM unnest($2::text[]) WITH ORDINALITY AS l(k, o))`;
const TRY = 'pg_try_advisory_xact_lock(hashtextextended(k, 0))';

/** The tenant $1. */
export const SCOPE = sql('uow.scope', `SELECT ${SET_TENANT}`);

/** The tenant $1, and all of the advisory locks $2; fails without any of them. */
export const SCOPE_LOCKING = sql(
  'uow.scope_locking',
  `SELECT ${SET_TENANT}, app.require(${tried(`bool_and(${TRY})`)}, '${LOCK_TAKEN}', 'lock taken')`,
);

/** The tenant $1, and which of the advisory locks $2 the transaction got, in their order. */
export const SCOPE_TRYING = sql(
  'uow.scope_trying',
  `SELECT ${SET_TENANT}, ${tried(`array_agg(${TRY} ORDER BY o)`)} AS locked`,
);

/** The tenant $1, and no writing. */
export const READ_SCOPE = sql(
  'uow.read_scope',
  `SELECT ${SET_TENANT}, set_config('transaction_read_only', 'on', true)`,
);
