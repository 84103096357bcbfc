import { violatedConstraint } from '../../../platform/database/sqlstate.js';
import { sql } from '../../../platform/database/sql.js';
import type { ReadTx, Tx } from '../../../platform/database/unit-of-work.js';
import { conflict, notFound } from '../../../platform/kernel/errors.js';
import { PropertyEntity } from './property.entity.js';

// NO KEY UPDATE: a booking's foreign key check must not wait for a change of the property's name.
const LOCK = sql(
  'properties.lock',
  `SELECT 1 FROM properties WHERE tenant_id = $1 AND property_id = $2 FOR NO KEY UPDATE`,
);
const HOLD = sql(
  'properties.hold',
  `SELECT 1 FROM properties WHERE tenant_id = $1 AND property_id = $2 FOR SHARE`,
);

const CURRENCY = sql(
  'properties.currency',
  `SELECT currency FROM properties WHERE tenant_id = $1 AND property_id = $2`,
);

/** @throws DomainError PROPERTY_NOT_FOUND (404) */
export async function currencyOf(tx: ReadTx, propertyId: string): Promise<string> {
  const [row] = await tx.query<{ currency: string }>(CURRENCY, [tx.tenantId, propertyId]);
  if (!row) throw notFound('property');
  return row.currency;
}

/** @throws DomainError PROPERTY_NOT_FOUND (404) */
export async function findProperty(tx: Tx, propertyId: string): Promise<PropertyEntity> {
  const row = await tx.entities.findOneBy(PropertyEntity, { tenantId: tx.tenantId, propertyId });
  if (!row) throw notFound('property');
  return row;
}

/** The row, locked for a change. @throws DomainError PROPERTY_NOT_FOUND (404) */
export async function lockProperty(tx: Tx, propertyId: string): Promise<PropertyEntity> {
  await tx.query(LOCK, [tx.tenantId, propertyId]);
  return findProperty(tx, propertyId);
}

/** The row, kept as it is to the end of the transaction. @throws DomainError PROPERTY_NOT_FOUND (404) */
export async function holdProperty(tx: Tx, propertyId: string): Promise<PropertyEntity> {
  await tx.query(HOLD, [tx.tenantId, propertyId]);
  return findProperty(tx, propertyId);
}

/** Writes new values and the next version of a row that is locked; answers with the row as it is then. */
export async function writeProperty(
  tx: Tx,
  row: PropertyEntity,
  values: Partial<PropertyEntity>,
): Promise<PropertyEntity> {
  await tx.entities
    .update(
      PropertyEntity,
      { tenantId: tx.tenantId, propertyId: row.propertyId, version: row.version },
      { ...values, version: row.version + 1, updatedAt: () => 'now()' },
    )
    .catch(refuseViolation);
  return findProperty(tx, row.propertyId);
}

/** What a violated constraint means to the caller. @throws DomainError PROPERTY_CODE_TAKEN (409), TENANT_NOT_FOUND (404) */
export function refuseViolation(error: unknown): never {
  const constraint = violatedConstraint(error);
  if (constraint === 'properties_code_key')
    throw conflict('PROPERTY_CODE_TAKEN', 'Another property of this tenant has this code.');
  if (constraint === 'properties_tenant_id_fkey') throw notFound('tenant');
  throw error;
}
