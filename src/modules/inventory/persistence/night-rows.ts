import { sql } from '../../../platform/database/sql.js';
import type { ReadTx, Tx } from '../../../platform/database/unit-of-work.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import type { Versioned } from '../../../platform/kernel/versioned.js';
import { atVersion, readAtVersion } from '../../properties/contract/property-version.js';

const OPEN = sql(
  'inventory.open_nights',
  `INSERT INTO inventory_nights (tenant_id, room_type_id, night, rooms)
   SELECT $1, $2, $3::date + n, $5 FROM generate_series(0, $4::date - $3::date - 1) n ORDER BY n`,
);

/** Opens the nights of `[from, to)` of a new room type. */
export async function openNights(
  tx: Tx,
  nights: { roomTypeId: string; from: IsoDate; to: IsoDate; rooms: number },
): Promise<void> {
  await tx.query(OPEN, [tx.tenantId, nights.roomTypeId, nights.from, nights.to, nights.rooms]);
}

// Locked in the order of the nights, as bookings do. $6 null: whatever they have now.
const LOCK = sql(
  'inventory.lock_nights',
  `WITH locked AS (
     SELECT night, sold FROM inventory_nights
      WHERE tenant_id = $1 AND room_type_id = $2 AND night >= $3 AND ($4::date IS NULL OR night < $4)
        AND ($6::int IS NULL OR rooms = $6)
      ORDER BY night FOR NO KEY UPDATE)
   SELECT night, sold FROM locked WHERE sold > $5 ORDER BY night LIMIT 1`,
);
const RESIZE = sql(
  'inventory.resize_nights',
  `UPDATE inventory_nights SET rooms = $5
    WHERE tenant_id = $1 AND room_type_id = $2 AND night >= $3 AND ($4::date IS NULL OR night < $4)
      AND ($6::int IS NULL OR rooms = $6)`,
);

/** Nights to resize: `[from, to)`, without end where `to` is null; only those that have `was` rooms, if it is given. */
export interface Resize {
  readonly roomTypeId: string;
  readonly from: IsoDate;
  readonly to: IsoDate | null;
  readonly rooms: number;
  readonly was: number | null;
}

/** A night on which more rooms are sold than there would be. */
export interface ShortNight {
  readonly night: IsoDate;
  readonly sold: number;
}

/** Locks the nights and resizes them; or, with the first night that has sold more, leaves them as they are. */
export async function resizeNights(tx: Tx, resize: Resize): Promise<ShortNight | null> {
  const values = [tx.tenantId, resize.roomTypeId, resize.from, resize.to, resize.rooms, resize.was];
  const [short] = await tx.query<ShortNight>(LOCK, values);
  if (short) return short;
  await tx.query(RESIZE, values);
  return null;
}

/** The counters of one type in a range: its nights as days from the range's first, in order, each with its rooms and its sold. */
export interface TypeNights {
  readonly roomTypeId: string;
  readonly code: string;
  readonly days: readonly number[];
  readonly rooms: readonly number[];
  readonly sold: readonly number[];
}

// A list a type, since a night's row costs more to send and to read than to find. Type by type (OFFSET 0 keeps it so): as a join
// it goes by night through every house of the tenant.
const READ = sql(
  'inventory.read_nights',
  atVersion(`(
    SELECT coalesce(json_agg(json_build_object('roomTypeId', t.room_type_id, 'code', t.code, 'days', n.days, 'rooms', n.rooms,
                      'sold', n.sold) ORDER BY t.code), '[]')
      FROM room_types t CROSS JOIN LATERAL (
        SELECT array_agg(night - $4::date) AS days, array_agg(rooms) AS rooms, array_agg(sold) AS sold FROM (
          SELECT night, rooms, sold FROM inventory_nights
           WHERE tenant_id = $1 AND room_type_id = t.room_type_id AND night >= $4 AND night < $5 ORDER BY night OFFSET 0) i) n
     WHERE t.tenant_id = $1 AND t.property_id = $2 AND ($6::uuid IS NULL OR t.room_type_id = $6) AND n.days IS NOT NULL)`),
);

/**
 * The counters of `[from, to)` of a property, by code of the type; of one type, if it is given.
 * @throws DomainError PROPERTY_NOT_FOUND (404)
 */
export const readNights = (
  tx: ReadTx,
  propertyId: string,
  { from, to, roomTypeId = null }: { from: IsoDate; to: IsoDate; roomTypeId?: string | null },
  known: string | null,
): Promise<Versioned<TypeNights[]>> => readAtVersion(tx, READ, propertyId, known, [from, to, roomTypeId]);
