import { sql } from '../../../platform/database/sql.js';
import { violatedConstraint } from '../../../platform/database/sqlstate.js';
import type { Tx } from '../../../platform/database/unit-of-work.js';
import { notFound } from '../../../platform/kernel/errors.js';
import { GuestEntity } from './guest.entity.js';

// NO KEY UPDATE: a booking's foreign key check must not wait for a change of the guest's address.
const LOCK = sql(
  'guests.lock',
  `SELECT 1 FROM guests WHERE tenant_id = $1 AND guest_id = $2 FOR NO KEY UPDATE`,
);

/** @throws DomainError GUEST_NOT_FOUND (404) */
export async function findGuest(tx: Tx, guestId: string): Promise<GuestEntity> {
  const row = await tx.entities.findOneBy(GuestEntity, { tenantId: tx.tenantId, guestId });
  if (!row) throw notFound('guest');
  return row;
}

/** The row, locked for a change. @throws DomainError GUEST_NOT_FOUND (404) */
export async function lockGuest(tx: Tx, guestId: string): Promise<GuestEntity> {
  await tx.query(LOCK, [tx.tenantId, guestId]);
  return findGuest(tx, guestId);
}

/** @throws DomainError TENANT_NOT_FOUND (404) when the token's tenant is not there */
export function refuseUnknownTenant(error: unknown): never {
  if (violatedConstraint(error) === 'guests_tenant_id_fkey') throw notFound('tenant');
  throw error;
}

const AFTER = `($2::uuid IS NULL OR (last_name_key, guest_id) >
  (SELECT c.last_name_key, c.guest_id FROM guests c WHERE c.tenant_id = $1 AND c.guest_id = $2))`;
const PAGE = `ORDER BY last_name_key, guest_id LIMIT $3`;

// The cursor is an id, so that no name stands in a URL; its place in the order is looked up.
const LIST = sql(
  'guests.list',
  `SELECT guest_id AS "guestId" FROM guests WHERE tenant_id = $1 AND ${AFTER} ${PAGE}`,
);

// Prefixes as ranges of bytes: unlike LIKE they may use an index under row-level security. $4 the prefix.
const SEARCH = sql(
  'guests.search',
  `SELECT guest_id AS "guestId" FROM guests
    WHERE tenant_id = $1
      AND ((last_name_key >= lower($4) AND last_name_key < lower($4) || chr(1114111))
        OR (email_key >= lower($4) AND email_key < lower($4) || chr(1114111)))
      AND ${AFTER} ${PAGE}`,
);

/** Ids of guests whose last name or mail address begins with `prefix`, whatever its case, by last name. */
export async function searchGuests(
  tx: Tx,
  prefix: string | null,
  after: string | null,
  limit: number,
): Promise<string[]> {
  const page = [tx.tenantId, after, limit];
  const rows = await (prefix === null
    ? tx.query<{ guestId: string }>(LIST, page)
    : tx.query<{ guestId: string }>(SEARCH, [...page, prefix]));
  return rows.map((row) => row.guestId);
}
