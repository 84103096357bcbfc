import { violatedConstraint } from '../../../platform/database/sqlstate.js';
import { sql, type Sql } from '../../../platform/database/sql.js';
import type { ReadTx, Tx } from '../../../platform/database/unit-of-work.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import { conflict, notFound } from '../../../platform/kernel/errors.js';
import { PropertyEntity } from './property.entity.js';

const ROW = `tenant_id AS "tenantId", property_id AS "propertyId", code, name, time_zone AS "timeZone", currency,
  business_date AS "businessDate", version, created_at AS "createdAt", updated_at AS "updatedAt"`;

// NO KEY UPDATE: a booking's foreign key check must not wait for a change of the property's name.
const LOCK = sql(
  'properties.lock',
  `SELECT ${ROW} FROM properties WHERE tenant_id = $1 AND property_id = $2 FOR NO KEY UPDATE`,
);
const HOLD = sql(
  'properties.hold',
  `SELECT ${ROW} FROM properties WHERE tenant_id = $1 AND property_id = $2 FOR SHARE`,
);
const ADVANCE = sql(
  'properties.advance',
  `UPDATE properties SET business_date = $3, version = version + 1, updated_at = now()
    WHERE tenant_id = $1 AND property_id = $2 RETURNING ${ROW}`,
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

async function rowBy(tx: Tx, statement: Sql, propertyId: string): Promise<PropertyEntity> {
  const [row] = await tx.query<PropertyEntity>(statement, [tx.tenantId, propertyId]);
  if (!row) throw notFound('property');
  return row;
}

/** The row, locked for a change. @throws DomainError PROPERTY_NOT_FOUND (404) */
export const lockProperty = (tx: Tx, propertyId: string): Promise<PropertyEntity> =>
  rowBy(tx, LOCK, propertyId);

/** The row, kept as it is to the end of the transaction. @throws DomainError PROPERTY_NOT_FOUND (404) */
export const holdProperty = (tx: Tx, propertyId: string): Promise<PropertyEntity> =>
  rowBy(tx, HOLD, propertyId);

/** Writes the business date and the next version of a row that is locked; answers with the row as it is then. */
export async function writeBusinessDate(tx: Tx, propertyId: string, to: IsoDate): Promise<PropertyEntity> {
  const [row] = await tx.query<PropertyEntity>(ADVANCE, [tx.tenantId, propertyId, to]);
  return row!;
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
