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

// Prefixes as ranges of bytes (~>=~, ~<~): unlike LIKE they use the text_pattern_ops indexes whatever the plan.
// The cursor is an id, so that no name stands in a URL; its place in the order is looked up.
const SEARCH = sql(
  'guests.search',
  `SELECT guest_id AS "guestId" FROM guests
    WHERE tenant_id = $1
      AND ($2::text IS NULL
        OR (lower(last_name) ~>=~ lower($2) AND lower(last_name) ~<~ (lower($2) || chr(1114111)))
        OR (lower(email) ~>=~ lower($2) AND lower(email) ~<~ (lower($2) || chr(1114111))))
      AND ($3::uuid IS NULL OR (lower(last_name), guest_id) >
        (SELECT lower(c.last_name), c.guest_id FROM guests c WHERE c.tenant_id = $1 AND c.guest_id = $3))
    ORDER BY lower(last_name), guest_id LIMIT $4`,
);

/** Ids of guests whose last name or mail address begins with `prefix`, whatever its case, by last name. */
export async function searchGuests(
  tx: Tx,
  prefix: string | null,
  after: string | null,
  limit: number,
): Promise<string[]> {
  const rows = await tx.query<{ guestId: string }>(SEARCH, [tx.tenantId, prefix, after, limit]);
  return rows.map((row) => row.guestId);
}
