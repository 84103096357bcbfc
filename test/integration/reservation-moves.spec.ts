import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { confirmationNumber } from '../../src/modules/reservations/domain/confirmation-number.js';
import { MOVES, STATUSES, type Status } from '../../src/modules/reservations/domain/moves.js';
import { newId } from '../../src/platform/kernel/ids.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { createHouse, refusalBy, rolledBack, type TestHouse } from '../support/fixtures.js';

let database: TestDatabase;
let house: TestHouse;
/** The application's role, in the tenant's scope: what a bug in our own SQL could do. */
let app: pg.Client;
let serial = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  house = await createHouse(database, { rooms: 2, nights: 10 });
  app = new pg.Client({ connectionString: database.appUrl });
  await app.connect();
});

afterAll(async () => {
  await app.end();
  await database.drop();
});

const inTenant = <T>(work: () => Promise<T>): Promise<T> => rolledBack(app, house.tenantId, work);

const COLUMNS = [
  'tenant_id',
  'reservation_id',
  'property_id',
  'confirmation_number',
  'status',
  'room_type_id',
  'rate_plan_id',
  'guest_id',
  'arrival',
  'departure',
  'day_use',
  'adults',
  'children',
  'babies',
  'currency',
  'nightly_minor',
  'hold_expires_at',
  'cancel_reason',
  'room_number',
  'origin',
  'version',
] as const;
type Row = Partial<Record<(typeof COLUMNS)[number], unknown>>;
const INSERT = `INSERT INTO reservations (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map((_, i) => `$${i + 1}`).join(', ')})`;

/** The values of a legal row, but for what is given. */
function valuesOf(fields: Row = {}): unknown[] {
  const row: Row = {
    tenant_id: house.tenantId,
    reservation_id: newId(),
    property_id: house.propertyId,
    confirmation_number: confirmationNumber((serial += 1)),
    status: 'CONFIRMED',
    room_type_id: house.roomTypeId,
    rate_plan_id: house.ratePlanId,
    guest_id: house.guestId,
    arrival: house.day(0),
    departure: house.day(2),
    day_use: false,
    adults: 1,
    children: 0,
    babies: 0,
    currency: 'EUR',
    nightly_minor: [100, 100],
    hold_expires_at: new Date('2027-03-01T12:00:00Z'),
    cancel_reason: 'changed plans',
    room_number: null,
    origin: 'http',
    version: 1,
    ...fields,
  };
  return COLUMNS.map((column) => row[column]);
}

const MOVE = `UPDATE reservations SET status = $2, version = version + 1 WHERE reservation_id = $1`;
/** How to get a reservation into a state, legally. */
const WAY: Readonly<Record<Status, readonly Status[]>> = {
  HELD: ['HELD'],
  CONFIRMED: ['CONFIRMED'],
  CHECKED_IN: ['CONFIRMED', 'CHECKED_IN'],
  CHECKED_OUT: ['CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT'],
  CANCELLED: ['HELD', 'CANCELLED'],
  NO_SHOW: ['CONFIRMED', 'NO_SHOW'],
  EXPIRED: ['HELD', 'EXPIRED'],
};

/** A new reservation in `status`; its id. */
async function reservationIn(status: Status, fields: Row = {}): Promise<string> {
  const id = newId();
  const [first, ...rest] = WAY[status];
  await app.query(INSERT, valuesOf({ reservation_id: id, status: first, ...fields }));
  for (const next of rest) await app.query(MOVE, [id, next]);
  return id;
}

const legal = (from: Status, to: Status): boolean => MOVES.some((row) => row.from === from && row.to === to);
const PAIRS = STATUSES.flatMap((from) =>
  STATUSES.filter((to) => to !== from).map((to) => [from, to] as const),
);

describe('the table reservation_moves', () => {
  it('equals MOVES of the domain, row by row', async () => {
    const { rows } = await app.query(
      `SELECT command, from_status AS "from", to_status AS "to" FROM reservation_moves`,
    );
    const sorted = (list: readonly object[]): string[] => list.map((row) => JSON.stringify(row)).sort();
    expect(sorted(rows)).toEqual(sorted(MOVES));
  });

  it('can be read and not changed by the application', async () => {
    for (const text of [
      `INSERT INTO reservation_moves VALUES ('revive', 'EXPIRED', 'CONFIRMED')`,
      `UPDATE reservation_moves SET to_status = 'CONFIRMED'`,
      `DELETE FROM reservation_moves`,
    ])
      expect(await inTenant(() => refusalBy(app, text))).toMatchObject({ code: '42501' });
  });
});

describe('the database, told by the application to move a reservation', () => {
  it.each(PAIRS.filter(([from, to]) => legal(from, to)))('lets %s become %s', async (from, to) => {
    await inTenant(async () => {
      const id = await reservationIn(from);
      await app.query(MOVE, [id, to]);
      const { rows } = await app.query(`SELECT status FROM reservations WHERE reservation_id = $1`, [id]);
      expect(rows).toEqual([{ status: to }]);
    });
  });

  it.each(PAIRS.filter(([from, to]) => !legal(from, to)))('refuses to let %s become %s', async (from, to) => {
    await inTenant(async () => {
      const id = await reservationIn(from);
      expect(await refusalBy(app, MOVE, [id, to])).toMatchObject({
        code: '23514',
        constraint: 'reservations_moves',
      });
    });
  });

  it('refuses a state that it does not know', async () => {
    await inTenant(async () => {
      const id = await reservationIn('CONFIRMED');
      expect(await refusalBy(app, MOVE, [id, 'confirmed'])).toMatchObject({ code: '23514' });
      expect(await refusalBy(app, INSERT, valuesOf({ status: 'BOOKED' }))).toMatchObject({
        code: '23514',
        constraint: 'reservations_status_check',
      });
    });
  });
});

describe('the database, told by the application to write a reservation', () => {
  /** The refusal of an insert of a legal row with these fields. */
  const insertion = (fields: Row) => inTenant(() => refusalBy(app, INSERT, valuesOf(fields)));

  it('takes a legal row', async () => {
    expect(await insertion({})).toBeUndefined();
    expect(await insertion({ status: 'HELD' })).toBeUndefined();
    expect(await insertion({ departure: house.day(0), day_use: true, nightly_minor: [] })).toBeUndefined();
    expect(await insertion({ nightly_minor: [0, -638] })).toBeUndefined();
  });

  it.each(STATUSES.filter((status) => status !== 'HELD' && status !== 'CONFIRMED'))(
    'refuses one that begins as %s',
    async (status) => {
      expect(await insertion({ status })).toMatchObject({ code: '23514', constraint: 'reservations_moves' });
    },
  );

  it.each([
    ['begins in version 2', { version: 2 }, 'reservations_moves'],
    ['begins in version 0', { version: 0 }, 'reservations_version_check'],
    ['has a price too few', { nightly_minor: [100] }, 'reservations_price_a_night'],
    ['has a price too many', { nightly_minor: [100, 100, 100] }, 'reservations_price_a_night'],
    [
      'is no day use, but arrives and departs on one day',
      { departure: '2027-03-01', nightly_minor: [] },
      'reservations_day_use',
    ],
    ['is day use, but stays over night', { day_use: true }, 'reservations_day_use'],
    [
      'departs before it arrives',
      { departure: '2027-02-28', nightly_minor: [] }, // No list has -1 prices: both constraints hold it, and PostgreSQL names the first by name.
      'reservations_price_a_night',
    ],
    [
      'stays 366 nights',
      { departure: '2028-03-01', nightly_minor: Array<number>(366).fill(1) },
      'reservations_stay',
    ],
    ['has nobody in its party', { adults: 0 }, 'reservations_party'],
    ['has 100 people in its party', { adults: 98, babies: 2 }, 'reservations_party'],
    ['has fewer than no children', { adults: 5, children: -1 }, 'reservations_children_check'],
    ['is a hold without an end', { status: 'HELD', hold_expires_at: null }, 'reservations_held_until'],
    [
      'has a number that nobody can read out',
      { confirmation_number: 'AAAA0000' },
      'reservations_confirmation_number_check',
    ],
  ])('refuses one that %s', async (_, fields, constraint) => {
    expect(await insertion(fields)).toMatchObject({ code: '23514', constraint });
  });

  it('refuses a confirmation number that another has: 23505', async () => {
    await inTenant(async () => {
      await reservationIn('CONFIRMED', { confirmation_number: 'ZZZZ2222' });
      expect(await refusalBy(app, INSERT, valuesOf({ confirmation_number: 'ZZZZ2222' }))).toMatchObject({
        code: '23505',
        constraint: 'reservations_confirmation_number_key',
      });
    });
  });

  it("refuses a property, type, plan or guest that is not the tenant's: 23503", async () => {
    const other = await createHouse(database, { nights: 1 });
    for (const fields of [
      { property_id: other.propertyId },
      { room_type_id: other.roomTypeId },
      { rate_plan_id: other.ratePlanId },
      { guest_id: other.guestId },
    ])
      expect(await insertion(fields)).toMatchObject({ code: '23503' });
  });

  it('refuses a cancellation without a reason', async () => {
    await inTenant(async () => {
      const id = await reservationIn('CONFIRMED', { cancel_reason: null });
      expect(await refusalBy(app, MOVE, [id, 'CANCELLED'])).toMatchObject({
        code: '23514',
        constraint: 'reservations_cancelled_why',
      });
    });
  });

  it.each(['version', 'version + 2', 'version - 1', '7'])(
    'refuses a version that goes to %s',
    async (next) => {
      await inTenant(async () => {
        const id = await reservationIn('CHECKED_IN');
        const text = `UPDATE reservations SET adults = 2, version = ${next} WHERE reservation_id = $1`;
        expect(await refusalBy(app, text, [id])).toMatchObject({
          code: '23514',
          constraint: 'reservations_version_step',
        });
      });
    },
  );

  it('refuses a room number that is in house already, and takes it once that guest has left', async () => {
    const CHECK_IN = `UPDATE reservations SET status = 'CHECKED_IN', room_number = '12', version = version + 1 WHERE reservation_id = $1`;
    await inTenant(async () => {
      const [first, second] = [await reservationIn('CONFIRMED'), await reservationIn('CONFIRMED')];
      await app.query(CHECK_IN, [first]);
      expect(await refusalBy(app, CHECK_IN, [second])).toMatchObject({
        code: '23505',
        constraint: 'reservations_room_in_house',
      });
      await app.query(MOVE, [first, 'CHECKED_OUT']);
      expect(await refusalBy(app, CHECK_IN, [second])).toBeUndefined();
    });
  });
});

describe('the database, told by the application to change a counter', () => {
  const SELL = `UPDATE inventory_nights SET sold = $2 WHERE room_type_id = $1 AND night = '2027-03-01'`;

  it.each([0, 1, 2])('lets %d of 2 rooms be sold', async (sold) => {
    expect(await inTenant(() => refusalBy(app, SELL, [house.roomTypeId, sold]))).toBeUndefined();
  });

  it.each([3, -1])('refuses %d of 2 rooms', async (sold) => {
    expect(await inTenant(() => refusalBy(app, SELL, [house.roomTypeId, sold]))).toMatchObject({
      code: '23514',
      constraint: 'inventory_nights_not_oversold',
    });
  });

  it('refuses to take away a room that is sold', async () => {
    await inTenant(async () => {
      await app.query(SELL, [house.roomTypeId, 2]);
      const text = `UPDATE inventory_nights SET rooms = 1 WHERE room_type_id = $1 AND night = '2027-03-01'`;
      expect(await refusalBy(app, text, [house.roomTypeId])).toMatchObject({
        constraint: 'inventory_nights_not_oversold',
      });
    });
  });
});
