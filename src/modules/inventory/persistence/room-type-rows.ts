import { sql } from '../../../platform/database/sql.js';
import { violatedConstraint } from '../../../platform/database/sqlstate.js';
import type { Tx } from '../../../platform/database/unit-of-work.js';
import { conflict, notFound } from '../../../platform/kernel/errors.js';
import { RoomTypeEntity } from './room-type.entity.js';

// NO KEY UPDATE: a booking's foreign key check must not wait for a change of the type.
const LOCK = sql(
  'inventory.lock_room_type',
  `SELECT 1 FROM room_types WHERE tenant_id = $1 AND property_id = $2 AND room_type_id = $3 FOR NO KEY UPDATE`,
);

/** @throws DomainError ROOM_TYPE_NOT_FOUND (404) */
export async function findRoomType(tx: Tx, propertyId: string, roomTypeId: string): Promise<RoomTypeEntity> {
  const row = await tx.entities.findOneBy(RoomTypeEntity, { tenantId: tx.tenantId, propertyId, roomTypeId });
  if (!row) throw notFound('room type');
  return row;
}

/** The row, locked for a change of it or of its nights. @throws DomainError ROOM_TYPE_NOT_FOUND (404) */
export async function lockRoomType(tx: Tx, propertyId: string, roomTypeId: string): Promise<RoomTypeEntity> {
  await tx.query(LOCK, [tx.tenantId, propertyId, roomTypeId]);
  return findRoomType(tx, propertyId, roomTypeId);
}

/** Writes new values and the next version of a row that is locked; answers with the row as it is then. */
export async function writeRoomType(
  tx: Tx,
  row: RoomTypeEntity,
  values: Partial<RoomTypeEntity>,
): Promise<RoomTypeEntity> {
  const { roomTypeId, propertyId, version } = row;
  await tx.entities
    .update(
      RoomTypeEntity,
      { tenantId: tx.tenantId, roomTypeId, version },
      { ...values, version: version + 1, updatedAt: () => 'now()' },
    )
    .catch(refuseTakenCode);
  return findRoomType(tx, propertyId, roomTypeId);
}

/** @throws DomainError ROOM_TYPE_CODE_TAKEN (409) */
export function refuseTakenCode(error: unknown): never {
  if (violatedConstraint(error) === 'room_types_code_key')
    throw conflict('ROOM_TYPE_CODE_TAKEN', 'Another room type of this property has this code.');
  throw error;
}
