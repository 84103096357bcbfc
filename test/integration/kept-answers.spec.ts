import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import { InventoryModule } from '../../src/modules/inventory/inventory.module.js';
import { RoomTypeEntity } from '../../src/modules/inventory/persistence/room-type.entity.js';
import { OccupancyHttpModule } from '../../src/modules/occupancy/occupancy.module.js';
import { OccupancyQueries } from '../../src/modules/occupancy/queries/occupancy-queries.js';
import { PropertyEntity } from '../../src/modules/properties/persistence/property.entity.js';
import { UnitOfWork } from '../../src/platform/database/unit-of-work.js';
import { metrics } from '../../src/platform/observability/metrics.js';
import { clerkOf, createHouse, type TestHouse, withClient } from '../support/fixtures.js';
import { HttpApp, type Answer } from './http-app.js';

const NIGHTS = 8;

let app: HttpApp;
let house: TestHouse;
let neighbour: TestHouse;

beforeAll(async () => {
  app = await HttpApp.start([InventoryModule, OccupancyHttpModule], {
    entities: [PropertyEntity, RoomTypeEntity],
  });
  house = await createHouse(app.database, { types: 2, rooms: 4, nights: NIGHTS });
  neighbour = await createHouse(app.database, { types: 1, rooms: 3, nights: NIGHTS });
});
afterAll(() => app.stop());

/** A statement as the services run it: of the API, in the house's tenant; of the background role, across tenants. */
async function change(role: 'app' | 'worker', { tenantId }: TestHouse, text: string): Promise<void> {
  const { appUrl, workerUrl } = app.database;
  await withClient(role === 'app' ? appUrl : workerUrl, async (client) => {
    await client.query('BEGIN');
    if (role === 'app') await client.query(`SELECT set_config('app.tenant_id', $1, true)`, [tenantId]);
    await client.query(text);
    await client.query('COMMIT');
  });
}

async function versionOf({ propertyId }: TestHouse): Promise<string> {
  const [row] = await app.sql<{ version: string }>(
    `SELECT coalesce(sum(version), 0)::text AS version FROM property_versions WHERE property_id = $1`,
    [propertyId],
  );
  return row!.version;
}

const project = (of: TestHouse, rooms: number, night = 0): string =>
  `INSERT INTO occupancy_nights AS o (tenant_id, property_id, night, booked_rooms)
   VALUES ('${of.tenantId}', '${of.propertyId}', '${of.day(night)}', ${rooms})
   ON CONFLICT (tenant_id, property_id, night) DO UPDATE SET booked_rooms = o.booked_rooms + excluded.booked_rooms`;

describe('the version of a property is another one', () => {
  const changes: readonly (readonly [string, 'app' | 'worker', (of: TestHouse) => string])[] = [
    ['a room sold', 'app', (of) => `UPDATE inventory_nights SET sold = 1 WHERE night = '${of.day(0)}'`],
    ['a night resized', 'app', (of) => `UPDATE inventory_nights SET rooms = 5 WHERE night = '${of.day(1)}'`],
    [
      'a night opened',
      'app',
      (of) => `INSERT INTO inventory_nights (tenant_id, room_type_id, night, rooms)
               VALUES ('${of.tenantId}', '${of.roomTypeId}', '${of.day(NIGHTS)}', 2)`,
    ],
    [
      'a type renamed',
      'app',
      () => `UPDATE room_types SET code = 'X', version = version + 1 WHERE code = 'T1'`,
    ],
    [
      'a new type',
      'app',
      (
        of,
      ) => `INSERT INTO room_types (tenant_id, room_type_id, property_id, code, name, base_occupancy, max_occupancy, rooms)
               VALUES ('${of.tenantId}', gen_random_uuid(), '${of.propertyId}', 'NEW', 'New', 1, 2, 1)`,
    ],
    ['a first occupied night', 'worker', (of) => project(of, 1)],
    ['one more room occupied', 'worker', (of) => project(of, 1)],
  ];

  it.each(changes)('after %s', async (_what, role, text) => {
    const [before, beside] = [await versionOf(house), await versionOf(neighbour)];
    await change(role, house, text(house));
    expect(await versionOf(house)).not.toBe(before);
    expect(await versionOf(neighbour)).toBe(beside);
  });

  it.each(['occupancy_nights', 'inventory_nights'])(
    'after rows of %s were deleted by hand',
    async (table) => {
      const made = await createHouse(app.database, { nights: 2 });
      await change('worker', made, project(made, 1));
      const before = await versionOf(made);
      await app.sql(`DELETE FROM ${table} WHERE tenant_id = $1`, [made.tenantId]);
      expect(await versionOf(made)).not.toBe(before);
    },
  );

  it('after the read model was emptied, which those whom walls hide properties from may not do', async () => {
    const before = await Promise.all([house, neighbour].map(versionOf));
    await expect(
      withClient(app.database.ownerUrl, (owner) => owner.query('TRUNCATE occupancy_nights')),
    ).rejects.toThrow(/row-level security/);
    expect(await Promise.all([house, neighbour].map(versionOf))).toEqual(before);
    await app.sql('TRUNCATE occupancy_nights');
    const after = await Promise.all([house, neighbour].map(versionOf));
    expect(after.filter((version, i) => version === before[i])).toEqual([]);
  });

  it('and the same after a statement that found no row, and after one that was undone', async () => {
    const before = await versionOf(house);
    await change('app', house, `UPDATE inventory_nights SET sold = 1 WHERE night = '1999-01-01'`);
    await withClient(app.database.superUrl, async (client) => {
      await client.query(`BEGIN; UPDATE inventory_nights SET sold = 2; ROLLBACK`);
    });
    expect(await versionOf(house)).toBe(before);
  });

  it('after each of several changes that are under way at once, none of which waits for another', async () => {
    const busy = await createHouse(app.database, { nights: 4 });
    const lanes = (): Promise<object[]> =>
      app.sql(`SELECT lane FROM property_versions WHERE property_id = $1`, [busy.propertyId]);
    const clients = await Promise.all(
      [0, 1, 2].map(async (night) => {
        const client = new pg.Client({ connectionString: app.database.superUrl });
        await client.connect();
        await client.query(`SET lock_timeout = '2s'; BEGIN`);
        return {
          client,
          sell: [
            `UPDATE inventory_nights SET sold = 1 WHERE room_type_id = $1 AND night = $2`,
            [busy.roomTypeId, busy.day(night)],
          ] as const,
        };
      }),
    );
    const seen = [await versionOf(busy)];
    try {
      for (const { client, sell } of clients) await client.query(sell[0], [...sell[1]]);
      for (const { client } of clients) {
        await client.query('COMMIT');
        seen.push(await versionOf(busy));
      }
    } finally {
      await Promise.all(clients.map(({ client }) => client.end()));
    }
    expect(new Set(seen).size).toBe(4);
    expect(await lanes()).toHaveLength(3);
    for (let n = 0; n < 5; n++) await change('app', busy, `UPDATE inventory_nights SET sold = ${n % 2}`);
    expect(await lanes()).toHaveLength(3);
  });
});

describe('an answer that is kept', () => {
  const range = (of: TestHouse): string => `from=${of.day(0)}&to=${of.day(NIGHTS)}`;
  const get = async (of: TestHouse, what: string, reader = of): Promise<Answer> =>
    app.call('GET', `/v1/properties/${of.propertyId}/${what}?${range(of)}`, {
      token: await app.token(reader.tenantId, ['*']),
    });
  const outcomes = async (): Promise<Record<string, number>> =>
    Object.fromEntries(
      (await metrics.keptAnswers.get()).values.map(({ labels, value }) => [labels.outcome, value]),
    );

  it('is what a new look would answer, whatever happened in whatever order', async () => {
    const houses = [
      await createHouse(app.database, { types: 2, rooms: 4, nights: NIGHTS }),
      await createHouse(app.database, { types: 1, rooms: 4, nights: NIGHTS }),
    ];
    const queries = new OccupancyQueries(new UnitOfWork(app.source));
    const look = async (of: TestHouse): Promise<void> => {
      // The counters are not kept.
      const counters = (await get(of, 'inventory')).body.data as {
        night: string;
        rooms: number;
        sold: number;
      }[];
      const types = (await get(of, 'availability')).body.data as {
        code: string;
        nights: { available: number }[];
      }[];
      expect(types.flatMap(({ nights }) => nights.map(({ available }) => available))).toEqual(
        counters.map(({ rooms, sold }) => rooms - sold),
      );
      const codes = await app.sql<{ code: string }>(
        'SELECT code FROM room_types WHERE property_id = $1 ORDER BY code',
        [of.propertyId],
      );
      expect(types.map(({ code }) => code)).toEqual(codes.map(({ code }) => code));
      const { data } = await queries.report(clerkOf(of), of.propertyId, of.day(0), of.day(NIGHTS), null);
      expect((await get(of, 'occupancy')).body.data).toEqual(data);
    };
    const night = fc.integer({ min: 0, max: NIGHTS - 1 });
    const act = fc.oneof(
      fc.record({ look: fc.constant(true) }),
      fc.record({ sold: fc.integer({ min: 0, max: 4 }), night }),
      fc.record({ rooms: fc.integer({ min: 4, max: 6 }), night }),
      fc.record({ code: fc.integer({ min: 1, max: 9 }) }),
      fc.record({ occupied: fc.integer({ min: 0, max: 3 }), night }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(1), act), { maxLength: 12 }), async (acts) => {
        for (const [at, doing] of acts) {
          const of = houses[at]!;
          if ('look' in doing) await look(of);
          else if ('sold' in doing)
            await change(
              'app',
              of,
              `UPDATE inventory_nights SET sold = ${doing.sold} WHERE night = '${of.day(doing.night)}'`,
            );
          else if ('rooms' in doing)
            await change(
              'app',
              of,
              `UPDATE inventory_nights SET rooms = ${doing.rooms} WHERE night = '${of.day(doing.night)}'`,
            );
          else if ('code' in doing)
            await change(
              'app',
              of,
              `UPDATE room_types SET code = 'C${doing.code}', version = version + 1 WHERE room_type_id = '${of.roomTypeId}'`,
            );
          else await change('worker', of, project(of, doing.occupied, doing.night));
        }
        for (const of of houses) await look(of);
      }),
      { numRuns: 25 },
    );
  });

  it('is sent again as it was, as long as nothing changed, and made anew after that', async () => {
    const of = await createHouse(app.database, { nights: NIGHTS });
    const answers: Answer[] = [];
    const before = await outcomes();
    for (const sold of [null, null, 1, null]) {
      if (sold !== null) await change('app', of, `UPDATE inventory_nights SET sold = ${sold}`);
      answers.push(await get(of, 'availability'));
    }
    const [first, second, third, fourth] = answers.map(({ text }) => text);
    expect(second).toBe(first);
    expect(third).not.toBe(first);
    expect(fourth).toBe(third);
    const after = await outcomes();
    expect(['new', 'same', 'changed'].map((outcome) => after[outcome]! - (before[outcome] ?? 0))).toEqual([
      1, 2, 1,
    ]);
  });

  it.each(['availability', 'occupancy'])('of %s is for its tenant only', async (what) => {
    const of = await createHouse(app.database, { nights: NIGHTS });
    expect((await get(of, what)).status).toBe(200);
    expect(await get(of, what, neighbour)).toMatchObject({
      status: 404,
      body: { error: { code: 'PROPERTY_NOT_FOUND' } },
    });
  });

  it.each(['availability', 'occupancy'])('of %s is not that of other nights', async (what) => {
    const of = await createHouse(app.database, { nights: NIGHTS });
    const token = await app.token(of.tenantId, ['*']);
    const nights = async (from: number, to: number): Promise<number> => {
      const url = `/v1/properties/${of.propertyId}/${what}?from=${of.day(from)}&to=${of.day(to)}`;
      const { data } = (await app.call('GET', url, { token })).body;
      return ((Array.isArray(data) ? data[0] : data) as { nights: unknown[] }).nights.length;
    };
    expect([await nights(0, 8), await nights(0, 4), await nights(2, 8), await nights(0, 8)]).toEqual([
      8, 4, 6, 8,
    ]);
  });

  it('is not that of another property that has no night either, and so the same version', async () => {
    const { tenantId, day } = await createHouse(app.database);
    const token = await app.token(tenantId, ['*']);
    const made = await app.sql<{ id: string }>(
      `INSERT INTO properties (tenant_id, property_id, code, name, time_zone, currency, business_date)
       SELECT $1, gen_random_uuid(), 'P' || n, 'House', 'Europe/Lisbon', 'EUR', $2 FROM generate_series(1, 2) n
       RETURNING property_id AS id`,
      [tenantId, day(0)],
    );
    for (const { id } of made) {
      const url = `/v1/properties/${id}/occupancy?from=${day(0)}&to=${day(1)}`;
      expect((await app.call('GET', url, { token })).body.data.propertyId).toBe(id);
    }
  });
});
