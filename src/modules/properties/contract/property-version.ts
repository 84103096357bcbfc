import type { Sql } from '../../../platform/database/sql.js';
import type { ReadTx } from '../../../platform/database/unit-of-work.js';
import { notFound } from '../../../platform/kernel/errors.js';
import type { Versioned } from '../../../platform/kernel/versioned.js';

/**
 * A statement that reads of the property $2 of the tenant $1, unless its version is $3. The version is that of all that is shown
 * of the property's nights: of its room types, their counters, its capacity and its occupancy; no two of their states share one.
 * @param data an expression over `p`, the property's row; $4 and later are its own
 */
export const atVersion = (data: string): string =>
  `SELECT v.version, CASE WHEN v.version IS DISTINCT FROM $3 THEN ${data} END AS data
     FROM properties p
    CROSS JOIN LATERAL (SELECT coalesce(sum(version), 0)::text AS version FROM property_versions
                         WHERE tenant_id = $1 AND property_id = $2) v
    WHERE p.tenant_id = $1 AND p.property_id = $2`;

/**
 * Runs such a statement.
 * @param known the version that the reader has; null for none
 * @throws DomainError PROPERTY_NOT_FOUND (404)
 */
export async function readAtVersion<T>(
  tx: ReadTx,
  statement: Sql,
  propertyId: string,
  known: string | null,
  values: readonly unknown[],
): Promise<Versioned<T>> {
  const [row] = await tx.query<Versioned<T>>(statement, [tx.tenantId, propertyId, known, ...values]);
  if (!row) throw notFound('property');
  return row;
}
