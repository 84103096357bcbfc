import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { GuestsModule } from '../../src/modules/guests/guests.module.js';
import { GuestEntity } from '../../src/modules/guests/persistence/guest.entity.js';
import { HORIZON_NIGHTS, horizonEnd } from '../../src/modules/inventory/contract/horizon.js';
import { InventoryModule } from '../../src/modules/inventory/inventory.module.js';
import { RoomTypeEntity } from '../../src/modules/inventory/persistence/room-type.entity.js';
import { AdvanceBusinessDate } from '../../src/modules/properties/contract/advance-business-date.js';
import { PropertyEntity } from '../../src/modules/properties/persistence/property.entity.js';
import { PropertiesModule } from '../../src/modules/properties/properties.module.js';
import { RatePlanEntity } from '../../src/modules/rate-plans/persistence/rate-plan.entity.js';
import { RatePlansModule } from '../../src/modules/rate-plans/rate-plans.module.js';
import { TenantEntity } from '../../src/modules/tenants/persistence/tenant.entity.js';
import { TenantsModule } from '../../src/modules/tenants/tenants.module.js';
import { makeContext } from '../../src/platform/context/op-context.js';
import { claimLock } from '../../src/platform/database/idempotency.js';
import { addDays, dateInZone, isoDate } from '../../src/platform/kernel/dates.js';
import { newId, PLATFORM_TENANT_ID, type TenantId } from '../../src/platform/kernel/ids.js';
import { HttpApp, type Answer, type Call } from './http-app.js';

const TODAY = isoDate('2026-03-01');

let app: HttpApp;
let tenant: TenantId;
let admin: string;
/** Another tenant's token, with every permission there is. */
let stranger: string;
let platform: string;

beforeAll(async () => {
  app = await HttpApp.start(
    [TenantsModule, PropertiesModule, InventoryModule, RatePlansModule, GuestsModule],
    {
      entities: [TenantEntity, PropertyEntity, RoomTypeEntity, RatePlanEntity, GuestEntity],
    },
  );
  tenant = await app.tenant('house');
  admin = await app.tokenFor('admin', tenant);
  stranger = await app.token(await app.tenant('stranger'), ['*']);
  platform = await app.tokenFor('platform', PLATFORM_TENANT_ID);
});
afterAll(() => app.stop());

const as = (token: string) => ({
  post: (url: string, body: unknown, call: Call = {}) => app.call('POST', url, { token, body, ...call }),
  patch: (url: string, body: unknown, ifMatch: number, call: Call = {}) =>
    app.call('PATCH', url, { token, body, ifMatch, ...call }),
  put: (url: string, body: unknown, ifMatch: number) => app.call('PUT', url, { token, body, ifMatch }),
  get: (url: string) => app.call('GET', url, { token }),
});
const me = {
  post: (url: string, body: unknown, call?: Call) => as(admin).post(url, body, call),
  patch: (url: string, body: unknown, ifMatch: number, call?: Call) =>
    as(admin).patch(url, body, ifMatch, call),
  put: (url: string, body: unknown, ifMatch: number) => as(admin).put(url, body, ifMatch),
  get: (url: string) => as(admin).get(url),
};

let serial = 0;
const property = async (fields: object = {}): Promise<{ id: string; url: string }> => {
  const made = await me.post('/v1/properties', {
    code: `P${++serial}`,
    name: 'House',
    timeZone: 'Europe/Lisbon',
    currency: 'EUR',
    businessDate: TODAY,
    ...fields,
  });
  expect(made.status).toBe(201);
  return { id: made.body.data.id as string, url: `/v1/properties/${made.body.data.id}` };
};
const roomType = async (url: string, rooms = 5, code = 'DBL'): Promise<{ id: string; url: string }> => {
  const body = { code, name: 'Double', baseOccupancy: 2, maxOccupancy: 3, rooms };
  const made = await me.post(`${url}/room-types`, body);
  expect(made.status).toBe(201);
  return { id: made.body.data.id as string, url: `${url}/room-types/${made.body.data.id}` };
};
const planOf = async (url: string, code: string): Promise<{ id: string; url: string }> => {
  const plans = (await me.get(`${url}/rate-plans`)).body.data as { id: string; code: string }[];
  const { id } = plans.find((plan) => plan.code === code)!;
  return { id, url: `${url}/rate-plans/${id}` };
};
const refusal = ({ status, body }: Answer): [number, string] => [status, body.error?.code as string];

/** Sells rooms past every command, as bookings would. */
const sell = (roomTypeId: string, night: string, sold: number): Promise<object[]> =>
  app.sql(`UPDATE inventory_nights SET sold = $3 WHERE room_type_id = $1 AND night = $2`, [
    roomTypeId,
    night,
    sold,
  ]);

interface Trace {
  readonly events: { type: string; key_seq: number; data: unknown }[];
  readonly audits: {
    action: string;
    actor: string;
    source: string;
    correlation_id: string;
    changes: unknown;
  }[];
}
const traceOf = async (id: string): Promise<Trace> => ({
  events: await app.sql(
    `SELECT event_type AS type, key_seq, data FROM outbox_events WHERE aggregate_id = $1 ORDER BY key_seq`,
    [id],
  ),
  audits: await app.sql(
    `SELECT action, actor, source, correlation_id, changes FROM audit_log WHERE resource_id = $1 ORDER BY occurred_at`,
    [id],
  ),
});
const expectTrace = async (id: string, types: string[]): Promise<Trace> => {
  const trace = await traceOf(id);
  expect(trace.events.map(({ type, key_seq }) => [type, key_seq])).toEqual(
    types.map((type, i) => [type, i + 1]),
  );
  expect(trace.audits.map(({ action }) => action)).toEqual(types);
  const [queued] = await app.sql<{ n: number }>(
    `SELECT count(*)::int AS n FROM outbox_queue WHERE aggregate_id = $1`,
    [id],
  );
  expect(queued!.n).toBe(types.length);
  return trace;
};

describe('tenants', () => {
  it('are created, read, listed and changed by the platform, in a scope of their own', async () => {
    const made = await as(platform).post('/v1/system/tenants', { code: 'grand', name: 'Grand Hotels' });
    expect(made.status).toBe(201);
    const { id } = made.body.data;
    expect(made.headers['location']).toBe(`/v1/system/tenants/${id}`);
    expect((await as(platform).get(`/v1/system/tenants/${id}`)).body.data.name).toBe('Grand Hotels');
    const renamed = await as(platform).patch(`/v1/system/tenants/${id}`, { name: 'Grander' }, 1);
    expect([renamed.status, renamed.headers['etag']]).toEqual([200, '"2"']);
    const own = await app.tokenFor('admin', id);
    const changed = await as(own).patch('/v1/tenant', { name: 'Grandest' }, 2);
    expect([changed.status, changed.body.data.version]).toEqual([200, 3]);
    expect((await as(own).get('/v1/tenant')).body.data.name).toBe('Grandest');
    const codes = (await as(platform).get('/v1/system/tenants')).body.data.map(
      (row: { code: string }) => row.code,
    );
    expect(codes).toEqual(['grand', 'house', 'stranger']);
    await expectTrace(id, ['tenant.created', 'tenant.changed', 'tenant.changed']);
    const scopes = await app.sql(`SELECT DISTINCT tenant_id FROM outbox_events WHERE aggregate_id = $1`, [
      id,
    ]);
    expect(scopes).toEqual([{ tenant_id: id }]);
  });

  it('are made once a key', async () => {
    const call = { key: newId() };
    const first = await as(platform).post('/v1/system/tenants', { code: 'once', name: 'Once' }, call);
    const again = await as(platform).post('/v1/system/tenants', { code: 'once', name: 'Once' }, call);
    expect([again.status, again.text]).toEqual([201, first.text]);
    expect(again.headers['idempotency-replayed']).toBe('true');
    const other = await as(platform).post('/v1/system/tenants', { code: 'twice', name: 'Once' }, call);
    expect(refusal(other)).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
  });

  it('are closed to tenants, whatever their token says', async () => {
    expect(refusal(await me.get('/v1/system/tenants'))).toEqual([403, 'PERMISSION_DENIED']);
    expect(refusal(await as(stranger).get('/v1/system/tenants'))).toEqual([403, 'PERMISSION_DENIED']);
    expect(refusal(await as(stranger).get(`/v1/system/tenants/${tenant}`))).toEqual([
      403,
      'PERMISSION_DENIED',
    ]);
    const call = as(stranger).post('/v1/system/tenants', { code: 'mine', name: 'Mine' });
    expect(refusal(await call)).toEqual([403, 'PERMISSION_DENIED']);
    expect(refusal(await me.patch('/v1/tenant', { code: 'better' }, 1))).toEqual([400, 'UNKNOWN_FIELD']);
  });

  it('have unique codes', async () => {
    const taken = await as(platform).post('/v1/system/tenants', { code: 'house', name: 'Again' });
    expect(refusal(taken)).toEqual([409, 'TENANT_CODE_TAKEN']);
  });

  it('that are not there get 404, and no fault of ours', async () => {
    const nobody = await app.token(newId() as TenantId, ['*']);
    expect(refusal(await as(nobody).get('/v1/tenant'))).toEqual([404, 'TENANT_NOT_FOUND']);
    const body = { code: 'X', name: 'X', timeZone: 'UTC', currency: 'EUR' };
    expect(refusal(await as(nobody).post('/v1/properties', body))).toEqual([404, 'TENANT_NOT_FOUND']);
    expect(refusal(await as(nobody).post('/v1/guests', { lastName: 'X' }))).toEqual([
      404,
      'TENANT_NOT_FOUND',
    ]);
  });
});

describe('properties', () => {
  it('are created with BAR and RACK, each with its event', async () => {
    const { id, url } = await property({ code: 'LISBON' });
    const read = await me.get(url);
    expect(read.headers['etag']).toBe('"1"');
    expect(read.body.data).toMatchObject({
      id,
      code: 'LISBON',
      currency: 'EUR',
      businessDate: TODAY,
      version: 1,
    });
    const { audits } = await expectTrace(id, ['property.created']);
    expect(audits[0]).toMatchObject({ actor: 'tester', source: 'http' });
    for (const code of ['BAR', 'RACK'])
      await expectTrace((await planOf(url, code)).id, ['rate_plan.created']);
  });

  it("begin today in the property's zone unless told", async () => {
    const { url } = await property({ businessDate: undefined, timeZone: 'Pacific/Kiritimati' });
    const zone = 'Pacific/Kiritimati';
    expect((await me.get(url)).body.data.businessDate).toBe(dateInZone(new Date(), zone));
  });

  it.each([
    [{ code: 'lower' }, 'CODE_INVALID'],
    [{ timeZone: 'Europe/Atlantis' }, 'TIME_ZONE_INVALID'],
    [{ currency: 'XYZ' }, 'CURRENCY_INVALID'],
    [{ currency: 'eur' }, 'CURRENCY_INVALID'],
    [{ businessDate: '2026-02-30' }, 'DATE_INVALID'],
    [{ businessDate: '0001-01-01' }, 'DATE_INVALID'],
    [{ name: 'x'.repeat(201) }, 'TEXT_TOO_LONG'],
  ])('are refused with %j', async (fields, code) => {
    const body = { code: 'BAD', name: 'Bad', timeZone: 'UTC', currency: 'EUR', ...fields };
    expect(refusal(await me.post('/v1/properties', body))).toEqual([400, code]);
  });

  it('have unique codes, at creation and at a change', async () => {
    await property({ code: 'UNIQUE' });
    const { url } = await property();
    const body = { code: 'UNIQUE', name: 'x', timeZone: 'UTC', currency: 'EUR' };
    expect(refusal(await me.post('/v1/properties', body))).toEqual([409, 'PROPERTY_CODE_TAKEN']);
    expect(refusal(await me.patch(url, { code: 'UNIQUE' }, 1))).toEqual([409, 'PROPERTY_CODE_TAKEN']);
  });

  it('are changed by who saw them last', async () => {
    const { id, url } = await property();
    expect(refusal(await app.call('PATCH', url, { token: admin, body: { name: 'New' } }))).toEqual([
      428,
      'PRECONDITION_REQUIRED',
    ]);
    const done = await me.patch(url, { name: 'New', timeZone: 'UTC' }, 1);
    expect([done.status, done.headers['etag'], done.body.data.name]).toEqual([200, '"2"', 'New']);
    const stale = await me.patch(url, { name: 'Newer' }, 1);
    expect(refusal(stale)).toEqual([412, 'VERSION_STALE']);
    expect(stale.body.error).toMatchObject({ category: 'CONFLICT', details: { version: 2 } });
    expect(refusal(await me.patch(url, {}, 2))).toEqual([400, 'PATCH_EMPTY']);
    expect(refusal(await me.patch(url, { currency: 'USD' }, 2))).toEqual([400, 'UNKNOWN_FIELD']);
    const same = await me.patch(url, { name: 'New' }, 2);
    expect([same.status, same.body.data.version]).toEqual([200, 2]);
    const { audits } = await expectTrace(id, ['property.created', 'property.changed']);
    expect(audits[1]!.changes).toEqual({ name: ['House', 'New'], timeZone: ['Europe/Lisbon', 'UTC'] });
  });

  it('are listed in pages that neither skip nor repeat', async () => {
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Answer = await me.get(`/v1/properties?limit=2${cursor && `&cursor=${cursor}`}`);
      seen.push(...page.body.data.map(({ code }: { code: string }) => code));
      cursor = page.body.pagination.nextCursor as string | null;
    }
    const all = await app.sql<{ code: string }>(
      `SELECT code FROM properties WHERE tenant_id = $1 ORDER BY code`,
      [tenant],
    );
    expect(seen).toEqual(all.map(({ code }) => code));
  });

  it('advance their business date day by day, and open the nights that come within the horizon', async () => {
    const { id, url } = await property();
    const { id: type } = await roomType(url, 7);
    const early = await me.post(`${url}/business-date/advance`, { to: addDays(TODAY, 2) });
    expect(refusal(early)).toEqual([409, 'BUSINESS_DATE_STEP']);
    expect(early.body.error.details).toEqual({ businessDate: TODAY, next: addDays(TODAY, 1) });
    const given = await me.post(`${url}/business-date/advance`, { to: addDays(TODAY, 1) });
    expect([given.status, given.body.data.businessDate]).toEqual([200, addDays(TODAY, 1)]);
    const bare = await app.call('POST', `${url}/business-date/advance`, { token: admin });
    expect([bare.status, bare.body.data.businessDate, bare.body.data.version]).toEqual([
      200,
      addDays(TODAY, 2),
      3,
    ]);
    const [nights] = await app.sql<{ first: string; last: string; n: number; rooms: number }>(
      `SELECT min(night) AS first, max(night) AS last, count(*)::int AS n, min(rooms) AS rooms
         FROM inventory_nights WHERE room_type_id = $1`,
      [type],
    );
    expect(nights).toEqual({
      first: TODAY,
      last: addDays(TODAY, HORIZON_NIGHTS + 1),
      n: HORIZON_NIGHTS + 2,
      rooms: 7,
    });
    const advanced = 'property.business_date_advanced';
    const { events } = await expectTrace(id, ['property.created', advanced, advanced]);
    expect(events[2]!.data).toEqual({ propertyId: id, from: addDays(TODAY, 1), to: addDays(TODAY, 2) });
  });

  it('advance through idle days in one transaction, each day with its event, its audit row and its nights', async () => {
    const { id, url } = await property();
    const { id: type } = await roomType(url, 7);
    const ctx = makeContext({ tenantId: tenant, subject: 'import', permissions: [], source: 'cli' });
    const advance = app.nest.get(AdvanceBusinessDate);
    const days = [0, 1, 2, 3].map((n) => addDays(TODAY, n));
    await advance.through(ctx, { propertyId: id, from: days[0]!, to: days[3]! });
    const advanced = 'property.business_date_advanced';
    const { events } = await expectTrace(id, ['property.created', advanced, advanced, advanced]);
    expect(events.slice(1).map(({ data }) => data)).toEqual(
      [1, 2, 3].map((n) => ({ propertyId: id, from: days[n - 1], to: days[n] })),
    );
    const { data } = (await me.get(url)).body;
    expect([data.businessDate, data.version]).toEqual([days[3], 4]);
    const [nights] = await app.sql<{ n: number; last: string }>(
      `SELECT count(*)::int AS n, max(night) AS last FROM inventory_nights WHERE room_type_id = $1`,
      [type],
    );
    expect(nights).toEqual({ n: HORIZON_NIGHTS + 3, last: addDays(horizonEnd(days[3]!), -1) });
    await expect(
      advance.through(ctx, { propertyId: id, from: days[0]!, to: days[3]! }),
    ).rejects.toMatchObject({ code: 'BUSINESS_DATE_STEP' });
  });

  it('lose no night to a room type that is made while the business date advances', async () => {
    const { url } = await property();
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        i % 2
          ? app.call('POST', `${url}/business-date/advance`, { token: admin })
          : roomType(url, 1, `T${i}`).then(() => null),
      ),
    );
    expect(outcomes.map((outcome) => outcome?.status ?? 200)).toEqual(Array(8).fill(200));
    const { businessDate } = (await me.get(url)).body.data;
    const last = await app.sql<{ last: string; gaps: number }>(
      `SELECT max(night) AS last, (max(night) - min(night) + 1 - count(*))::int AS gaps
         FROM inventory_nights n JOIN room_types t USING (tenant_id, room_type_id) WHERE t.property_id = $1 GROUP BY room_type_id`,
      [url.split('/').at(-1)],
    );
    expect(last).toEqual(Array(4).fill({ last: addDays(horizonEnd(businessDate), -1), gaps: 0 }));
  });
});

describe('inventory', () => {
  it('opens every night from the business date to the horizon', async () => {
    const { url } = await property();
    const { id, url: typeUrl } = await roomType(url, 5);
    const first = await me.get(`${url}/inventory?from=${TODAY}&to=${addDays(TODAY, 2)}&roomTypeId=${id}`);
    expect(first.body.data).toEqual([
      { roomTypeId: id, night: TODAY, rooms: 5, sold: 0 },
      { roomTypeId: id, night: addDays(TODAY, 1), rooms: 5, sold: 0 },
    ]);
    const edge = await me.get(
      `${url}/availability?from=${addDays(horizonEnd(TODAY), -1)}&to=${addDays(horizonEnd(TODAY), 5)}`,
    );
    expect(edge.body.data).toEqual([
      {
        roomTypeId: id,
        code: 'DBL',
        nights: [{ night: addDays(horizonEnd(TODAY), -1), rooms: 5, sold: 0, available: 5 }],
      },
    ]);
    expect((await me.get(typeUrl)).body.data).toMatchObject({
      code: 'DBL',
      baseOccupancy: 2,
      maxOccupancy: 3,
      rooms: 5,
    });
    await expectTrace(id, ['room_type.created']);
  });

  it('refuses what no room type can be', async () => {
    const { url } = await property();
    const body = { code: 'DBL', name: 'Double', baseOccupancy: 2, maxOccupancy: 3, rooms: 5 };
    const with_ = async (fields: object) =>
      refusal(await me.post(`${url}/room-types`, { ...body, ...fields }));
    expect(await with_({ baseOccupancy: 4 })).toEqual([400, 'OCCUPANCY_INVALID']);
    expect(await with_({ maxOccupancy: 100 })).toEqual([400, 'OUT_OF_RANGE']);
    expect(await with_({ rooms: -1 })).toEqual([400, 'OUT_OF_RANGE']);
    expect(await with_({ rooms: '5' })).toEqual([400, 'TYPE_INVALID']);
    const { url: typeUrl } = await roomType(url);
    expect(await with_({})).toEqual([409, 'ROOM_TYPE_CODE_TAKEN']);
    expect(refusal(await me.patch(typeUrl, { baseOccupancy: 9 }, 1))).toEqual([400, 'OCCUPANCY_INVALID']);
    expect(refusal(await me.post(`/v1/properties/${newId()}/room-types`, body))).toEqual([
      404,
      'PROPERTY_NOT_FOUND',
    ]);
  });

  it('changes the nights that still have the old number, and no other', async () => {
    const { url } = await property();
    const { id, url: typeUrl } = await roomType(url, 5);
    const set = await me.patch(`${typeUrl}/inventory`, { from: TODAY, to: addDays(TODAY, 2), rooms: 3 }, 1);
    expect([set.status, set.headers['etag']]).toEqual([200, '"2"']);
    const changed = await me.patch(typeUrl, { rooms: 8 }, 2);
    expect([changed.status, changed.body.data.rooms]).toEqual([200, 8]);
    const nights = await me.get(`${url}/inventory?from=${TODAY}&to=${addDays(TODAY, 4)}`);
    expect(nights.body.data.map(({ rooms }: { rooms: number }) => rooms)).toEqual([3, 3, 8, 8]);
    const { events } = await expectTrace(id, [
      'room_type.created',
      'room_type.inventory_set',
      'room_type.changed',
    ]);
    expect(events[1]!.data).toMatchObject({ from: TODAY, to: addDays(TODAY, 2), rooms: 3 });
  });

  it('never goes below what is sold, and names the first night', async () => {
    const { url } = await property();
    const { id, url: typeUrl } = await roomType(url, 5);
    await sell(id, addDays(TODAY, 3), 2);
    await sell(id, addDays(TODAY, 6), 4);
    const range = { from: TODAY, to: addDays(TODAY, 10) };
    const refused = await me.patch(`${typeUrl}/inventory`, { ...range, rooms: 1 }, 1);
    expect(refusal(refused)).toEqual([409, 'ROOMS_BELOW_SOLD']);
    expect(refused.body.error.details).toEqual({ night: addDays(TODAY, 3), sold: 2 });
    const whole = await me.patch(typeUrl, { rooms: 3 }, 1);
    expect(refusal(whole)).toEqual([409, 'ROOMS_BELOW_SOLD']);
    expect(whole.body.error.details).toEqual({ night: addDays(TODAY, 6), sold: 4 });
    expect((await me.patch(`${typeUrl}/inventory`, { ...range, rooms: 4 }, 1)).status).toBe(200);
    const left = await me.get(`${url}/availability?from=${addDays(TODAY, 6)}&to=${addDays(TODAY, 7)}`);
    expect(left.body.data[0].nights).toEqual([{ night: addDays(TODAY, 6), rooms: 4, sold: 4, available: 0 }]);
  });

  it('keeps the capacity of a house what its types add up to, whoever changes them at once', async () => {
    const { id, url } = await property();
    const types = await Promise.all(Array.from({ length: 4 }, (_, n) => roomType(url, n, `T${n}`)));
    const changes = types.map(async ({ url: typeUrl }, n) => {
      const range = { from: addDays(TODAY, n + 1), to: addDays(TODAY, 40 - n) };
      const set = await me.patch(`${typeUrl}/inventory`, { ...range, rooms: 10 - n }, 1);
      const changed = await me.patch(typeUrl, { rooms: 20 + n }, 2);
      return [set.status, changed.status];
    });
    const advanced = me.post(`${url}/business-date/advance`, undefined);
    expect(await Promise.all(changes)).toEqual(Array(4).fill([200, 200]));
    expect((await advanced).status).toBe(200);
    const unlike = await app.sql(
      `SELECT night FROM capacity_nights c FULL JOIN (
         SELECT property_id, night, sum(n.rooms) AS rooms FROM inventory_nights n JOIN room_types USING (tenant_id, room_type_id)
          GROUP BY 1, 2) t USING (property_id, night)
        WHERE property_id = $1 AND c.rooms IS DISTINCT FROM t.rooms`,
      [id],
    );
    const [first] = await app.sql(`SELECT rooms FROM capacity_nights WHERE property_id = $1 AND night = $2`, [
      id,
      addDays(TODAY, 4),
    ]);
    expect([unlike, first]).toEqual([[], { rooms: 10 + 9 + 8 + 7 }]);
  });

  it('refuses ranges that are none, too long, or beyond the horizon', async () => {
    const { url } = await property();
    const { url: typeUrl } = await roomType(url);
    const range = async (from: string, to: string) =>
      refusal(await me.get(`${url}/availability?from=${from}&to=${to}`));
    expect(await range(TODAY, TODAY)).toEqual([400, 'RANGE_INVALID']);
    expect(await range(TODAY, addDays(TODAY, 367))).toEqual([400, 'RANGE_TOO_LONG']);
    expect(refusal(await me.get(`${url}/availability?from=${TODAY}`))).toEqual([400, 'FIELD_REQUIRED']);
    const set = async (from: string, to: string) =>
      refusal(await me.patch(`${typeUrl}/inventory`, { from, to, rooms: 1 }, 1));
    expect(await set(addDays(TODAY, -1), addDays(TODAY, 1))).toEqual([409, 'OUTSIDE_HORIZON']);
    expect(await set(TODAY, addDays(horizonEnd(TODAY), 1))).toEqual([409, 'OUTSIDE_HORIZON']);
    expect(await set(addDays(TODAY, 1), TODAY)).toEqual([400, 'RANGE_INVALID']);
  });
});

describe('rate plans', () => {
  it('are created, changed and listed', async () => {
    const { url } = await property();
    const made = await me.post(`${url}/rate-plans`, { code: 'CORP', name: 'Corporate' });
    expect([made.status, made.body.data.active]).toEqual([201, true]);
    const off = await me.patch(String(made.headers['location']), { active: false }, 1);
    expect([off.status, off.body.data.active, off.body.data.version]).toEqual([200, false, 2]);
    const again = await me.post(`${url}/rate-plans`, { code: 'BAR', name: 'x' });
    expect(refusal(again)).toEqual([409, 'RATE_PLAN_CODE_TAKEN']);
    const codes = (await me.get(`${url}/rate-plans`)).body.data.map(({ code }: { code: string }) => code);
    expect(codes).toEqual(['BAR', 'CORP', 'RACK']);
    await expectTrace(made.body.data.id, ['rate_plan.created', 'rate_plan.changed']);
  });

  it.each([{ active: false }, { code: 'BEST' }, { name: 'Best' }])('BAR and RACK refuse %j', async (body) => {
    const { url } = await property();
    for (const code of ['BAR', 'RACK'])
      expect(refusal(await me.patch((await planOf(url, code)).url, body, 1))).toEqual([
        409,
        'RATE_PLAN_RESERVED',
      ]);
  });

  it('split and trim the prices that a new one overlaps', async () => {
    const { url } = await property();
    const { id: roomTypeId } = await roomType(url);
    const bar = await planOf(url, 'BAR');
    const set = (from: string, to: string | null, amountMinor: number, version: number) =>
      me.put(`${bar.url}/prices`, { roomTypeId, from, ...(to && { to }), amountMinor }, version);
    expect((await set('2026-01-01', null, 10_000, 1)).body.data.version).toBe(2);
    expect((await set('2026-07-01', '2026-09-01', 20_000, 2)).status).toBe(200);
    expect((await set('2026-08-10', '2026-08-20', 0, 3)).status).toBe(200);
    expect(refusal(await set('2026-08-10', '2026-08-20', 5, 3))).toEqual([412, 'VERSION_STALE']);
    const prices = await me.get(`${bar.url}/prices`);
    const rows = prices.body.data.map((row: Record<string, unknown>) => [
      row['from'],
      row['to'],
      row['amountMinor'],
    ]);
    expect(rows).toEqual([
      ['2026-01-01', '2026-07-01', 10_000],
      ['2026-07-01', '2026-08-10', 20_000],
      ['2026-08-10', '2026-08-20', 0],
      ['2026-08-20', '2026-09-01', 20_000],
      ['2026-09-01', null, 10_000],
    ]);
    const part = await me.get(
      `${bar.url}/prices?roomTypeId=${roomTypeId}&from=2026-08-15&to=2026-08-21&limit=1`,
    );
    expect(part.body.data.map(({ from }: { from: string }) => from)).toEqual(['2026-08-10']);
    const next = await me.get(
      `${bar.url}/prices?from=2026-08-15&to=2026-08-21&cursor=${part.body.pagination.nextCursor}`,
    );
    expect(next.body.data.map(({ from }: { from: string }) => from)).toEqual(['2026-08-20']);
    const set3 = 'rate_plan.prices_set';
    await expectTrace(bar.id, ['rate_plan.created', set3, set3, set3]);
  });

  it('refuse prices for what there is not', async () => {
    const { url } = await property();
    const { id: elsewhere } = await roomType((await property()).url);
    const bar = await planOf(url, 'BAR');
    const put = async (fields: object) =>
      refusal(
        await me.put(
          `${bar.url}/prices`,
          { roomTypeId: elsewhere, from: TODAY, amountMinor: 1, ...fields },
          1,
        ),
      );
    expect(await put({})).toEqual([404, 'ROOM_TYPE_NOT_FOUND']);
    expect(await put({ to: TODAY })).toEqual([400, 'RANGE_INVALID']);
    expect(await put({ amountMinor: 100_000_000_001 })).toEqual([400, 'OUT_OF_RANGE']);
    expect(await put({ amountMinor: 1.5 })).toEqual([400, 'TYPE_INVALID']);
  });
});

describe('guests', () => {
  const PERSON = {
    firstName: 'Zuleika',
    lastName: 'Dobson-Ximenes',
    email: 'zuleika@judas.example',
    phone: '+44 1865 279000',
    address: 'Judas College\nOxford',
    country: 'GB',
  };

  it('are created, read, found and changed, and leave their names nowhere else', async () => {
    const made = await me.post('/v1/guests', PERSON);
    expect([made.status, Object.keys(made.body.data)]).toEqual([201, ['id', 'version']]);
    const { id } = made.body.data;
    expect((await me.get(`/v1/guests/${id}`)).body.data).toMatchObject({ id, version: 1, ...PERSON });
    const done = await me.patch(`/v1/guests/${id}`, { lastName: 'Ximenes', phone: null }, 1);
    expect([done.status, done.body.data]).toEqual([200, { id, version: 2 }]);
    expect((await me.get(`/v1/guests/${id}`)).body.data).toMatchObject({ lastName: 'Ximenes', phone: null });
    const { events, audits } = await expectTrace(id, ['guest.created', 'guest.changed']);
    expect(events[1]!.data).toEqual({ guestId: id, fields: ['lastName', 'phone'] });
    expect(audits[1]!.changes).toEqual({ lastName: 'changed', phone: 'changed' });
    const written = await app.sql(
      `SELECT to_json(e)::text FROM outbox_events e UNION ALL SELECT to_json(a)::text FROM audit_log a
       UNION ALL SELECT to_json(k)::text FROM idempotency_keys k`,
    );
    expect(JSON.stringify(written)).not.toMatch(/zuleika|dobson|ximenes|judas|279000/i);
  });

  it('are found by the beginning of last name or mail address, whatever the case, page by page', async () => {
    const people = ['Abelard', 'abelson', 'ABELE', 'Abe%', 'Zabel'];
    for (const lastName of people) await me.post('/v1/guests', { lastName });
    await me.post('/v1/guests', { lastName: 'Other', email: 'abel@example.org' });
    const find = async (search: string, more = '') =>
      (await me.get(`/v1/guests?search=${encodeURIComponent(search)}${more}`)).body;
    const names = async (search: string) =>
      (await find(search)).data.map(({ lastName }: { lastName: string }) => lastName);
    expect(await names('abel')).toEqual(['Abelard', 'ABELE', 'abelson', 'Other']);
    expect(await names('abe%')).toEqual(['Abe%']);
    expect(await names('nobody')).toEqual([]);
    const first = await find('abel', '&limit=3');
    const second = await find('abel', `&limit=3&cursor=${first.pagination.nextCursor}`);
    expect([...first.data, ...second.data].map(({ lastName }) => lastName)).toEqual(await names('abel'));
    expect(second.pagination.nextCursor).toBeNull();
    expect(Buffer.from(first.pagination.nextCursor, 'base64url').toString()).not.toMatch(/abel/i);
  });

  it.each([
    [{}, 'FIELD_REQUIRED'],
    [{ lastName: 'a\u0000b' }, 'TEXT_INVALID'],
    [{ lastName: 'x', email: 'no mail' }, 'EMAIL_INVALID'],
    [{ lastName: 'x', phone: 'call me' }, 'PHONE_INVALID'],
    [{ lastName: 'x', country: 'Portugal' }, 'TEXT_TOO_LONG'],
    [{ lastName: 'x', address: 'a\u0007b' }, 'TEXT_INVALID'],
  ])('are refused with %j', async (body, code) => {
    const refused = await me.post('/v1/guests', body);
    expect(refusal(refused)).toEqual([400, code]);
  });
});

describe('every mutation', () => {
  it('gives the first answer again, byte for byte, and acts once', async () => {
    const body = { code: `P${++serial}`, name: 'Once', timeZone: 'UTC', currency: 'EUR' };
    const key = newId();
    const first = await me.post('/v1/properties', body, { key });
    const again = await me.post('/v1/properties', body, { key });
    expect([again.status, again.text, again.headers['etag'], again.headers['location']]).toEqual([
      201,
      first.text,
      first.headers['etag'],
      first.headers['location'],
    ]);
    expect(again.headers['x-correlation-id']).toBe(first.headers['x-correlation-id']);
    expect(refusal(await me.post('/v1/properties', { ...body, name: 'Other' }, { key }))).toEqual([
      422,
      'IDEMPOTENCY_KEY_REUSED',
    ]);
    expect(refusal(await me.post('/v1/guests', { lastName: 'x' }, { key }))).toEqual([
      422,
      'IDEMPOTENCY_KEY_REUSED',
    ]);
    const { audits } = await expectTrace(first.body.data.id, ['property.created']);
    expect(audits[0]!.correlation_id).toBe(first.headers['x-correlation-id']);
  });

  it('replays a change although its If-Match is stale by then', async () => {
    const { url } = await property();
    const key = newId();
    const first = await me.patch(url, { name: 'Changed' }, 1, { key });
    const again = await me.patch(url, { name: 'Changed' }, 1, { key });
    expect([again.status, again.text]).toEqual([200, first.text]);
  });

  it('keeps no refusal: the key may be used again once the cause is gone', async () => {
    const key = newId();
    const { url } = await property();
    expect(refusal(await me.patch(url, { name: 'New' }, 7, { key }))).toEqual([412, 'VERSION_STALE']);
    expect((await me.patch(url, { name: 'New' }, 1, { key })).status).toBe(200);
  });

  it('refuses the twin of a request that still runs', async () => {
    const client = new pg.Client({ connectionString: app.database.appUrl });
    await client.connect();
    try {
      const key = newId();
      const lock = claimLock(tenant, { principal: 'tester', key, requestHash: '00'.repeat(32) });
      await client.query('BEGIN');
      await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [lock]);
      const body = { lastName: 'Twin' };
      expect(refusal(await me.post('/v1/guests', body, { key }))).toEqual([409, 'REQUEST_IN_PROGRESS']);
      await client.query('COMMIT');
      expect((await me.post('/v1/guests', body, { key })).status).toBe(201);
    } finally {
      await client.end();
    }
  });

  it('keeps keys apart by principal and by tenant', async () => {
    const key = newId();
    const guest = { lastName: 'Same' };
    const ids = new Set<string>();
    for (const token of [admin, await app.tokenFor('admin', tenant, 'somebody-else'), stranger])
      ids.add((await as(token).post('/v1/guests', guest, { key })).body.data.id);
    expect(ids.size).toBe(3);
  });

  it('of two that saw the same version, one wins', async () => {
    const { url } = await property();
    const done = await Promise.all(['A', 'B', 'C', 'D'].map((name) => me.patch(url, { name }, 1)));
    expect(done.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412]);
  });
});

describe("another tenant's things", () => {
  it('are 404, in the same bytes as what is not there', async () => {
    const { id, url } = await property();
    const { id: type } = await roomType(url);
    const plan = await planOf(url, 'BAR');
    const guest = (await me.post('/v1/guests', { lastName: 'Mine' })).body.data.id as string;
    const none = newId();
    const range = `from=${TODAY}&to=${addDays(TODAY, 1)}`;
    const price = { roomTypeId: type, from: TODAY, amountMinor: 1 };
    const cases: [string, (property: string, child: string) => string, string, unknown?][] = [
      ['GET', (p) => `/v1/properties/${p}`, none],
      ['PATCH', (p) => `/v1/properties/${p}`, none, { name: 'x' }],
      ['POST', (p) => `/v1/properties/${p}/business-date/advance`, none, {}],
      [
        'POST',
        (p) => `/v1/properties/${p}/room-types`,
        none,
        { code: 'X', name: 'x', baseOccupancy: 1, maxOccupancy: 1, rooms: 1 },
      ],
      ['GET', (p) => `/v1/properties/${p}/room-types`, none],
      ['GET', (p) => `/v1/properties/${p}/inventory?${range}`, none],
      ['GET', (p) => `/v1/properties/${p}/availability?${range}`, none],
      ['GET', (p) => `/v1/properties/${p}/rate-plans`, none],
      ['POST', (p) => `/v1/properties/${p}/rate-plans`, none, { code: 'X', name: 'x' }],
      ['GET', (p, c) => `/v1/properties/${p}/room-types/${c}`, type],
      ['PATCH', (p, c) => `/v1/properties/${p}/room-types/${c}`, type, { name: 'x' }],
      [
        'PATCH',
        (p, c) => `/v1/properties/${p}/room-types/${c}/inventory`,
        type,
        { from: TODAY, to: addDays(TODAY, 1), rooms: 1 },
      ],
      ['GET', (p, c) => `/v1/properties/${p}/rate-plans/${c}`, plan.id],
      ['PATCH', (p, c) => `/v1/properties/${p}/rate-plans/${c}`, plan.id, { name: 'x' }],
      ['PUT', (p, c) => `/v1/properties/${p}/rate-plans/${c}/prices`, plan.id, price],
      ['GET', (p, c) => `/v1/properties/${p}/rate-plans/${c}/prices`, plan.id],
      ['GET', (_, c) => `/v1/guests/${c}`, guest],
      ['PATCH', (_, c) => `/v1/guests/${c}`, guest, { lastName: 'x' }],
    ];
    const headers = { 'x-correlation-id': newId() };
    for (const [method, path, child, body] of cases) {
      const call = {
        token: stranger,
        body,
        headers,
        ...(method !== 'POST' && method !== 'GET' && { ifMatch: 1 }),
      };
      const foreign = await app.call(method, path(id, child), call);
      const unknown = await app.call(method, path(newId(), newId()), call);
      expect([method, path(id, child), foreign.status]).toEqual([method, path(id, child), 404]);
      expect(foreign.text).toBe(unknown.text);
    }
    expect((await as(stranger).get('/v1/properties')).body.data).toEqual([]);
    expect((await as(stranger).get('/v1/guests?search=mine')).body.data).toEqual([]);
  });

  it('of the same tenant but another property are 404 as well', async () => {
    const { url } = await property();
    const other = await property();
    const type = await roomType(other.url);
    expect(refusal(await me.get(`${url}/room-types/${type.id}`))).toEqual([404, 'ROOM_TYPE_NOT_FOUND']);
    const plan = await planOf(other.url, 'BAR');
    expect(refusal(await me.get(`${url}/rate-plans/${plan.id}`))).toEqual([404, 'RATE_PLAN_NOT_FOUND']);
  });
});

describe('roles', () => {
  it.each<['staff' | 'owner' | 'accountant' | 'manager', boolean, boolean, boolean]>([
    ['manager', true, true, true],
    ['staff', false, true, true],
    ['accountant', false, false, true],
    ['owner', false, false, false],
  ])('%s: changes properties %s, guests %s, reads guests %s', async (role, properties, guests, reads) => {
    const { url } = await property();
    const token = await app.tokenFor(role, tenant);
    const allowed = ({ status }: Answer): boolean => status !== 403;
    expect(allowed(await as(token).patch(url, { name: `by ${role}` }, 1))).toBe(properties);
    expect(allowed(await as(token).post('/v1/guests', { lastName: 'x' }))).toBe(guests);
    expect(allowed(await as(token).get('/v1/guests'))).toBe(reads);
    expect((await as(token).get(url)).status).toBe(200);
  });
});
