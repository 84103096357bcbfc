import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { withClient } from '../support/fixtures.js';
import { openHouse, PRICE_MINOR, type FrontDesk } from '../support/front-desk.js';
import { ask, NO_FAULTS, pathFaults, rowCounts, settled, settledCounts } from '../support/house-sql.js';
import { HttpClient, newKey, until, type HttpAnswer, type Json } from '../support/http-client.js';
import { Installation, type Service } from '../support/service.js';

let inst: Installation;
let service: Service;
let url: string;
let manager: HttpClient;
let staff: HttpClient;

beforeAll(async () => {
  inst = await Installation.create({ LOG_LEVEL: 'trace' });
  service = await inst.start();
  url = await inst.superUrl();
  [manager, staff] = await Promise.all([inst.client(service, 'manager'), inst.client(service, 'staff')]);
}, 120_000);

afterAll(() => inst?.dispose());

/** A refusal in its code, with what a caller needs of it. */
const refusal = ({ status, body }: HttpAnswer): Json => ({
  status,
  code: body?.error?.code,
  category: body?.error?.category,
});

/** Waits until every event of a reservation is applied. */
const applied = (client: HttpClient, id: string): Promise<Json> =>
  until(`${id} applied`, async () => {
    const lifecycle = await client.data(200, client.get(`/v1/reservations/${id}/lifecycle`));
    return lifecycle.state === 'APPLIED' && lifecycle;
  });

describe('a quote', () => {
  it('prices each night by the rate plan, tells what is free, and keeps nothing', async () => {
    const desk = await openHouse(manager, 'QUOTE', 2);
    await desk.book(1, 1);
    const before = await settledCounts(url);
    const { guestId: _, ...stay } = desk.stay(0, 3);
    const quote = await staff.data(200, staff.post('/v1/reservations/quote', stay, { key: null }));
    expect(quote).toEqual({
      currency: 'EUR',
      totalMinor: 3 * PRICE_MINOR,
      available: true,
      firstNightLacking: null,
      nights: [2, 1, 2].map((available, n) => ({ night: desk.day(n), amountMinor: PRICE_MINOR, available })),
    });
    expect(await rowCounts(url)).toEqual(before);
  });
});

describe('a creation', () => {
  let desk: FrontDesk;

  beforeAll(async () => {
    desk = await openHouse(manager, 'CREATE');
  });

  it('answers 201 with the reservation, its place, its ETag and its correlation id', async () => {
    const answer = await manager.post('/v1/reservations', desk.stay(0, 2, { externalId: 'OTA-1' }));
    expect(answer.status).toBe(201);
    const { data } = answer.body;
    expect(data).toMatchObject({
      status: 'CONFIRMED',
      confirmationNumber: expect.stringMatching(/^[2-9A-HJKMNP-TV-Z]{8}$/),
      arrival: desk.day(0),
      departure: desk.day(2),
      party: { adults: 2, children: 0, babies: 0 },
      price: { currency: 'EUR', totalMinor: 2 * PRICE_MINOR, overrideReason: null },
      origin: 'http',
      externalId: 'OTA-1',
      version: 1,
    });
    expect(answer.headers.get('location')).toBe(`/v1/reservations/${data.id}`);
    expect(answer.headers.get('etag')).toBe('"1"');
    expect(answer.headers.get('x-correlation-id')).toBe(data.correlationId);
    const { correlationId: _, ...kept } = data;
    expect(await desk.read(data.id)).toEqual(kept);
  });

  it("knows no price but the server's, unless somebody may override it and says why", async () => {
    const own = await manager.post('/v1/reservations', desk.stay(0, 1, { price: 1 }));
    expect(refusal(own)).toMatchObject({ status: 400, code: 'UNKNOWN_FIELD' });
    const priceOverride = { amountMinor: 0, reason: 'A prize' };
    const denied = await staff.post('/v1/reservations', desk.stay(0, 1, { priceOverride }));
    expect(refusal(denied)).toEqual({ status: 403, code: 'PERMISSION_DENIED', category: 'AUTHZ' });
    const given = await desk.book(0, 1, { priceOverride });
    expect(given.price).toMatchObject({ totalMinor: 0, overrideReason: 'A prize' });
    const silent = await manager.post(
      '/v1/reservations',
      desk.stay(0, 1, { priceOverride: { amountMinor: 1 } }),
    );
    expect(refusal(silent)).toMatchObject({ status: 400, code: 'FIELD_REQUIRED' });
  });

  it('of a day use takes no night, and only it may depart on the day of its arrival', async () => {
    const before = await desk.free(5, 6);
    const dayUse = await desk.book(5, 0, { dayUse: true });
    expect(dayUse).toMatchObject({ dayUse: true, price: { totalMinor: 0, nights: [] } });
    expect(await desk.free(5, 6)).toEqual(before);
    expect(refusal(await manager.post('/v1/reservations', desk.stay(5, 0)))).toMatchObject({
      code: 'STAY_DATES_INVALID',
    });
    const night = await manager.post('/v1/reservations', desk.stay(5, 1, { dayUse: true }));
    expect(refusal(night)).toMatchObject({ code: 'DAY_USE_INVALID' });
  });
});

describe('an Idempotency-Key', () => {
  it('brings the first answer again, byte for byte, and does nothing twice', async () => {
    const desk = await openHouse(manager, 'KEYS');
    const key = newKey();
    const [body, guest] = [desk.stay(0, 2), { lastName: 'Twice' }];
    const first = await manager.post('/v1/reservations', body, { key });
    const before = await settledCounts(url);
    const again = await manager.post('/v1/reservations', body, { key });
    expect({ status: again.status, text: again.text }).toEqual({ status: 201, text: first.text });
    for (const name of ['etag', 'location', 'content-type', 'x-correlation-id'])
      expect({ [name]: again.headers.get(name) }).toEqual({ [name]: first.headers.get(name) });
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect((await rowCounts(url)).reservations).toBe(before['reservations']);
    const guestKey = newKey();
    const made = await manager.post('/v1/guests', guest, { key: guestKey });
    expect((await manager.post('/v1/guests', guest, { key: guestKey })).text).toBe(made.text);
    expect(refusal(await manager.post('/v1/reservations', desk.stay(0, 3), { key }))).toEqual({
      status: 422,
      code: 'IDEMPOTENCY_KEY_REUSED',
      category: 'VALIDATION',
    });
    // A key is its principal's own: the same one from somebody else is another request.
    const others = await staff.post('/v1/reservations', body, { key });
    expect(others.status).toBe(201);
    expect(others.body.data.id).not.toBe(first.body.data.id);
  });

  it('sent twenty times at once makes one reservation; who comes while it runs is told so, or gets its answer', async () => {
    const desk = await openHouse(manager, 'TWINS', 50);
    const key = newKey();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => manager.post('/v1/reservations', desk.stay(0, 1), { key })),
    );
    const taken = answers.filter(({ status }) => status === 201);
    expect(new Set(taken.map(({ text }) => text)).size).toBe(1);
    for (const answer of answers.filter(({ status }) => status !== 201))
      expect(refusal(answer)).toEqual({ status: 409, code: 'REQUEST_IN_PROGRESS', category: 'CONFLICT' });
    expect(await desk.free(0, 1)).toEqual([49]);
  });

  it('is not used up by a refusal', async () => {
    const desk = await openHouse(manager, 'REFUSED', 1);
    const first = await desk.book(0, 1);
    const key = newKey();
    expect((await manager.post('/v1/reservations', desk.stay(0, 1), { key })).status).toBe(409);
    expect((await desk.command(first.id, 'cancel', { reason: 'makes room' })).status).toBe(200);
    expect((await manager.post('/v1/reservations', desk.stay(0, 1), { key })).status).toBe(201);
  });
});

describe('a hold', () => {
  let desk: FrontDesk;

  beforeAll(async () => {
    desk = await openHouse(manager, 'HOLDS', 3);
  });

  const hold = (from: number): Promise<Json> =>
    manager.data(201, manager.post('/v1/reservations/hold', desk.stay(from, 1, { holdSeconds: 60 })));

  /** Nobody waits a minute: the superuser turns the clock of one hold back. */
  const makePast = (id: string): Promise<unknown> =>
    ask(
      url,
      `WITH off AS (SELECT set_config('session_replication_role', 'replica', false))
       UPDATE reservations SET hold_expires_at = now() - interval '1 minute' FROM off WHERE reservation_id = $1`,
      [id],
    );

  it('takes its nights until it is confirmed, and is a reservation then', async () => {
    const held = await hold(0);
    expect(held).toMatchObject({ status: 'HELD', holdExpiresAt: expect.any(String) });
    expect(await desk.free(0, 1)).toEqual([2]);
    const confirmed = await manager.data(200, desk.command(held.id, 'confirm'));
    expect(confirmed).toMatchObject({ status: 'CONFIRMED', holdExpiresAt: null, version: 2 });
    expect(await desk.free(0, 1)).toEqual([2]);
  });

  it('past its time is refused to whoever confirms it, swept or not, and gives its nights back by itself', async () => {
    const held = await hold(1);
    expect(await desk.free(1, 2)).toEqual([2]);
    await makePast(held.id);
    const late = refusal(await desk.command(held.id, 'confirm'));
    expect(late.status).toBe(409);
    expect(['HOLD_EXPIRED', 'ILLEGAL_MOVE']).toContain(late.code);
    await until('the sweep', async () => (await desk.read(held.id)).status === 'EXPIRED');
    expect(await desk.free(1, 2)).toEqual([3]);
    const { events } = await applied(manager, held.id);
    expect(events[0]).toMatchObject({ type: 'reservation.expired', actor: 'system:hold-expiry' });
  });

  it('lasts a minute to a day', async () => {
    for (const holdSeconds of [59, 86_401]) {
      const answer = await manager.post('/v1/reservations/hold', desk.stay(2, 1, { holdSeconds }));
      expect(answer.status).toBe(400);
      expect(answer.body.error.details).toMatchObject([{ path: 'holdSeconds', code: 'OUT_OF_RANGE' }]);
    }
  });
});

describe('a modification', () => {
  it('needs the version that its caller saw: none 428, another 412, the present one changes it', async () => {
    const desk = await openHouse(manager, 'MODIFY', 2);
    const { id } = await desk.book(0, 2);
    const to = (fields: Json, ifMatch?: number): Promise<HttpAnswer> =>
      manager.patch(`/v1/reservations/${id}`, fields, ifMatch === undefined ? {} : { ifMatch });
    expect(refusal(await to({ adults: 1 }))).toMatchObject({ status: 428, code: 'PRECONDITION_REQUIRED' });
    const longer = await to({ departure: desk.day(4), adults: 1 }, 1);
    expect(longer.headers.get('etag')).toBe('"2"');
    expect(longer.body.data).toMatchObject({
      version: 2,
      party: { adults: 1 },
      price: { totalMinor: 4 * PRICE_MINOR },
    });
    const stale = await to({ adults: 2 }, 1);
    expect(refusal(stale)).toEqual({ status: 412, code: 'VERSION_STALE', category: 'CONFLICT' });
    expect(stale.body.error.details).toEqual({ version: 2 });
    expect(await desk.free(0, 5)).toEqual([1, 1, 1, 1, 2]);
    await to({ arrival: desk.day(3) }, 2);
    expect(await desk.free(0, 5)).toEqual([2, 2, 2, 1, 2]);
  });

  it('into a full night is refused, names the first such night, and leaves everything as it was', async () => {
    const desk = await openHouse(manager, 'FULL', 1);
    await desk.book(3, 1);
    await desk.book(5, 1);
    const { id } = await desk.book(0, 2);
    const answer = await manager.patch(`/v1/reservations/${id}`, { departure: desk.day(7) }, { ifMatch: 1 });
    expect(refusal(answer)).toEqual({ status: 409, code: 'NO_AVAILABILITY', category: 'CONFLICT' });
    expect(answer.body.error.details).toMatchObject({ night: desk.day(3) });
    expect(await desk.read(id)).toMatchObject({ version: 1, departure: desk.day(2) });
    expect(await desk.free(0, 7)).toEqual([0, 0, 1, 0, 1, 0, 1]);
  });
});

describe('a stay, from its arrival to its end', () => {
  it('checks in to a room, changes its departure in house, and checks out on the day', async () => {
    const desk = await openHouse(manager, 'STAY', 2);
    const { id } = await desk.book(1, 2);
    const early = await desk.command(id, 'check-in', {});
    expect(refusal(early)).toMatchObject({ status: 409, code: 'ARRIVAL_NOT_DUE' });
    await desk.endDay();
    const inHouse = await manager.data(200, desk.command(id, 'check-in', { roomNumber: '214' }));
    expect(inHouse).toMatchObject({ status: 'CHECKED_IN', roomNumber: '214' });
    const other = await desk.book(1, 1);
    const taken = await desk.command(other.id, 'check-in', { roomNumber: '214' });
    expect(refusal(taken)).toMatchObject({ status: 409, code: 'ROOM_OCCUPIED' });
    const change = (departure: string, ifMatch?: number): Promise<HttpAnswer> =>
      desk.command(id, 'departure', { departure }, ifMatch === undefined ? {} : { ifMatch });
    expect((await change(desk.day(2))).status).toBe(428);
    const shorter = await manager.data(200, change(desk.day(2), 2));
    expect(shorter).toMatchObject({ departure: desk.day(2), price: { totalMinor: PRICE_MINOR } });
    const longer = await manager.data(200, change(desk.day(3), 3));
    expect(longer).toMatchObject({ departure: desk.day(3), price: { totalMinor: 2 * PRICE_MINOR } });
    await desk.endDay();
    expect(refusal(await desk.command(id, 'check-out'))).toMatchObject({
      status: 409,
      code: 'EARLY_DEPARTURE',
    });
    await desk.endDay();
    expect(await manager.data(200, desk.command(id, 'check-out'))).toMatchObject({
      status: 'CHECKED_OUT',
      version: 5,
    });
    const { events } = await applied(manager, id);
    expect(events.map(({ type }: Json) => type)).toEqual([
      'reservation.checked_out',
      'reservation.departure_changed',
      'reservation.departure_changed',
      'reservation.checked_in',
      'reservation.created',
    ]);
  });

  it('cancelled with a reason or declared a no-show gives its nights back, and is taken up again while there is room', async () => {
    const desk = await openHouse(manager, 'CANCEL', 1);
    const { id } = await desk.book(0, 2);
    const silent = await desk.command(id, 'cancel', {});
    expect(silent.body.error.details).toMatchObject([{ path: 'reason', code: 'FIELD_REQUIRED' }]);
    const cancelled = await manager.data(200, desk.command(id, 'cancel', { reason: 'Flight cancelled' }));
    expect(cancelled).toMatchObject({ status: 'CANCELLED', cancelReason: 'Flight cancelled' });
    expect(await desk.free(0, 2)).toEqual([1, 1]);
    expect(await manager.data(200, desk.command(id, 'reinstate'))).toMatchObject({
      status: 'CONFIRMED',
      cancelReason: null,
    });
    expect(await manager.data(200, desk.command(id, 'no-show'))).toMatchObject({ status: 'NO_SHOW' });
    await desk.book(1, 1);
    const full = await desk.command(id, 'reinstate');
    expect(refusal(full)).toMatchObject({ status: 409, code: 'NO_AVAILABILITY' });
    expect(full.body.error.details).toMatchObject({ night: desk.day(1) });
    expect(refusal(await staff.post(`/v1/reservations/${id}/reinstate`))).toMatchObject({ status: 403 });
  });
});

describe('a move that is not in the table', () => {
  it('is refused with 409 from every state and names the legal ones', async () => {
    const desk = await openHouse(manager, 'MOVES', 50);
    const table: Json[] = await manager.data(200, manager.get('/v1/reservation-moves'));
    const inState: Record<string, () => Promise<string>> = {
      HELD: async () => (await manager.data(201, manager.post('/v1/reservations/hold', desk.stay(0, 1)))).id,
      CONFIRMED: async () => (await desk.book(0, 1)).id,
      CHECKED_IN: async () => after(await desk.book(0, 1), 'check-in', {}),
      CANCELLED: async () => after(await desk.book(0, 1), 'cancel', { reason: 'no' }),
      NO_SHOW: async () => after(await desk.book(0, 1), 'no-show'),
      CHECKED_OUT: async () =>
        after({ id: await after(await desk.book(0, 0, { dayUse: true }), 'check-in', {}) }, 'check-out'),
    };
    const after = async ({ id }: Json, command: string, body?: Json): Promise<string> => {
      await manager.data(200, desk.command(id, command, body));
      return id;
    };
    const bodies: Record<string, Json> = { cancel: { reason: 'why not' }, 'check-in': {} };
    const commands = ['confirm', 'cancel', 'no-show', 'check-in', 'check-out', 'reinstate'];
    for (const [status, make] of Object.entries(inState)) {
      const id = await make();
      const legal = table
        .filter((move) => move.from === status && move.command !== 'expire')
        .map((move) => move.command);
      for (const command of commands.filter((each) => !legal.includes(each))) {
        const answer = await desk.command(id, command, bodies[command]);
        expect({ status, command, ...refusal(answer) }).toMatchObject({
          status: 409,
          command,
          code: 'ILLEGAL_MOVE',
        });
        expect(answer.body.error.details).toMatchObject({ status, command });
        expect(answer.body.error.details.legal).toEqual(expect.arrayContaining(legal));
      }
      expect((await desk.read(id)).status).toBe(status);
    }
  });
});

describe('two hundred clients that ask at once for the last room', () => {
  it('get one 201 and 199 times 409 NO_AVAILABILITY that names the first night lacking', async () => {
    const desk = await openHouse(manager, 'LAST', 1);
    await desk.book(2, 1);
    for (const from of [0, 5]) {
      // The second time some of them want the night that is gone from the start.
      const wishes = Array.from({ length: 200 }, (_, i) => desk.stay(from, from === 0 ? 1 + (i % 2) : 2));
      const answers = await Promise.all(wishes.map((wish) => manager.post('/v1/reservations', wish)));
      const byStatus = Map.groupBy(answers, ({ status }) => status);
      expect(Object.fromEntries([...byStatus].map(([status, list]) => [status, list.length]))).toEqual({
        201: 1,
        409: 199,
      });
      for (const { body } of byStatus.get(409)!)
        expect(body.error).toMatchObject({ code: 'NO_AVAILABILITY', details: { night: desk.day(from) } });
    }
  });
});

describe('searching', () => {
  it('finds by each criterion, and its cursors give every reservation once, in order', async () => {
    const desk = await openHouse(manager, 'SEARCH', 30);
    const made: Json[] = [];
    for (let i = 0; i < 23; i += 1) made.push(await desk.book(i % 7, 1 + (i % 3)));
    await manager.data(200, desk.command(made[0].id, 'cancel', { reason: 'no' }));
    const find = (query: string): Promise<HttpAnswer> =>
      manager.get(`/v1/reservations?propertyId=${desk.propertyId}${query}`);
    const walked: Json[] = [];
    for (let cursor = ''; ;) {
      const { status, body } = await find(`&limit=5${cursor}`);
      expect(status).toBe(200);
      walked.push(...body.data);
      if (body.pagination.nextCursor === null) break;
      cursor = `&cursor=${body.pagination.nextCursor}`;
    }
    expect(walked.map(({ id }) => id).sort()).toEqual(made.map(({ id }) => id).sort());
    const arrivals = walked.map(({ arrival }) => arrival);
    expect(arrivals).toEqual([...arrivals].sort());
    const ids = async (query: string): Promise<string[]> =>
      (await find(query)).body.data.map(({ id }: Json) => id);
    expect(await ids('&status=CANCELLED')).toEqual([made[0].id]);
    expect(await ids(`&confirmationNumber=${made[4].confirmationNumber.toLowerCase()}`)).toEqual([
      made[4].id,
    ]);
    expect((await ids(`&arrivalFrom=${desk.day(2)}&arrivalTo=${desk.day(3)}&limit=200`)).sort()).toEqual(
      made
        .filter((_, i) => [2, 3].includes(i % 7))
        .map(({ id }) => id)
        .sort(),
    );
    expect(await ids('&guestName=guest-sea&limit=200')).toHaveLength(23);
    expect(await ids(`&guestId=${desk.guestId}&limit=200`)).toHaveLength(23);
    expect(await ids('&guestName=nobody')).toEqual([]);
  });
});

describe('the read model', () => {
  it('shows each accepted command once it is applied: booked and stayed rooms and revenue by night', async () => {
    const desk = await openHouse(manager, 'OCCUPY', 4);
    const stayed = await desk.book(0, 1);
    const [, dropped] = [await desk.book(0, 2), await desk.book(1, 2)];
    await desk.command(stayed.id, 'check-in', {});
    await desk.endDay();
    await desk.command(stayed.id, 'check-out');
    await desk.command(dropped.id, 'cancel', { reason: 'no' });
    for (const { id } of [stayed, dropped]) await applied(manager, id);
    const path = `/v1/properties/${desk.propertyId}/occupancy?from=${desk.day(0)}&to=${desk.day(3)}`;
    const report = await until('the second night', async () => {
      const found = await manager.data(200, manager.get(path));
      return found.nights[1].bookedRooms === 1 && found;
    });
    const night = (n: number, booked: number, out: number): Json => ({
      night: desk.day(n),
      bookedRooms: booked,
      bookedRevenueMinor: booked * PRICE_MINOR,
      stayedRooms: out,
      stayedRevenueMinor: out * PRICE_MINOR,
      rooms: 4,
      occupancyPercent: (booked / 4) * 100,
    });
    expect(report.nights).toEqual([night(0, 2, 1), night(1, 1, 0), night(2, 0, 0)]);
    expect(report).toMatchObject({
      currency: 'EUR',
      totals: { bookedRooms: 3, stayedRooms: 1, rooms: 12, occupancyPercent: 25 },
    });
  });

  it('the lifecycle answers where a request is, by the correlation id that its answer gave, with every checkpoint', async () => {
    const desk = await openHouse(manager, 'CYCLE');
    const correlation = '0190a1b2-0000-7000-8000-00000000c0de';
    const headers = { 'x-correlation-id': correlation };
    const { body } = await manager.post('/v1/reservations', desk.stay(0, 1), { headers });
    expect(body.data.correlationId).toBe(correlation);
    await applied(manager, body.data.id);
    // The receipt of the relay may be written after the consumer was done.
    const { events, ...lifecycle } = await until('the receipt', async () => {
      const found = await manager.data(200, manager.get(`/v1/reservations/${body.data.id}/lifecycle`));
      return found.events[0].checkpoints.publishedAt !== null && found;
    });
    expect(lifecycle).toMatchObject({ state: 'APPLIED', next: 'Nothing: it is done.' });
    const [{ checkpoints, ...event }] = events;
    expect(event).toMatchObject({
      type: 'reservation.created',
      keySeq: 1,
      correlationId: correlation,
      actor: 'e2e-manager',
      hindrance: null,
    });
    const { deadAt, skippedAt, ...reached } = checkpoints;
    expect([deadAt, skippedAt]).toEqual([null, null]);
    expect(Object.keys(reached)).toEqual([
      'receivedAt',
      'persistedAt',
      'publishedAt',
      'consumedAt',
      'appliedAt',
    ]);
    expect(Object.values<string>(reached).map((time) => Date.parse(time))).toEqual(
      Array(5).fill(expect.any(Number)),
    );
    expect(Object.values<string>(reached).some((time) => Number.isNaN(Date.parse(time)))).toBe(false);
  });
});

describe('access', () => {
  it('is denied without a token, with a false one, and beyond its permissions', async () => {
    const desk = await openHouse(manager, 'ACCESS');
    const path = `/v1/properties/${desk.propertyId}`;
    const none = await new HttpClient(service.url, null).get(path);
    expect(refusal(none)).toEqual({ status: 401, code: 'TOKEN_MISSING', category: 'AUTHN' });
    const [head, payload, signature] = manager.token!.split('.') as [string, string, string];
    const forged = `${head}.${Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(payload, 'base64url').toString()), permissions: ['*'] })).toString('base64url')}.${signature}`;
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
    for (const token of ['rubbish', forged, unsigned, `${manager.token}x`])
      expect(refusal(await new HttpClient(service.url, token).get(path))).toEqual({
        status: 401,
        code: 'TOKEN_INVALID',
        category: 'AUTHN',
      });
    const advance = await staff.post(`${path}/business-date/advance`, {});
    expect(refusal(advance)).toEqual({ status: 403, code: 'PERMISSION_DENIED', category: 'AUTHZ' });
    const tenants = await manager.get('/v1/system/tenants');
    expect(refusal(tenants)).toMatchObject({ status: 403 });
  });
});

describe('a guest', () => {
  it("'s name, mail, telephone number and address stand in the guests' table and nowhere else: no table, no log line", async () => {
    const mark = 'Zyqwertz';
    const person = {
      firstName: `${mark}first`,
      lastName: `${mark}last`,
      email: `${mark}@mail.example`,
      phone: '+351 900 417 3925',
      address: `${mark} Street 7\n1100 Lisboa`,
    };
    const desk = await openHouse(manager, 'PERSON');
    const key = newKey();
    const { id: guestId } = await manager.data(201, manager.post('/v1/guests', person, { key }));
    expect((await manager.post('/v1/guests', person, { key })).status).toBe(201);
    await manager.data(
      200,
      manager.patch(`/v1/guests/${guestId}`, { lastName: `${mark}other`, email: null }, { ifMatch: 1 }),
    );
    // Refusals and look-ups quote nothing either.
    expect((await manager.post('/v1/guests', { ...person, email: `${mark} no mail` })).status).toBe(400);
    expect((await manager.post('/v1/guests', { ...person, [`${mark}field`]: 1 })).status).toBe(400);
    expect((await manager.post('/v1/guests', `{"lastName": "${mark}`)).status).toBe(400);
    expect((await manager.post('/v1/guests', { ...person, lastName: `${mark}\u0000` })).status).toBe(400);
    expect((await manager.get(`/v1/guests?search=${mark}`)).body.data).toHaveLength(1);
    expect((await manager.get(`/v1/reservations?guestName=${mark}`)).status).toBe(200);
    const { id } = await desk.book(0, 1, { guestId });
    expect(
      (await manager.patch(`/v1/guests/${guestId}`, { lastName: `${mark}stale` }, { ifMatch: 1 })).status,
    ).toBe(412);
    await applied(manager, id);
    await until('the guest events applied', async () => {
      const [row] = await ask<{ n: number }>(
        url,
        `SELECT count(*)::int AS n FROM event_inbox WHERE aggregate_id = $1`,
        [guestId],
      );
      return row!.n === 2;
    });

    const columns = await ask<{ table: string; column: string; type: string }>(
      url,
      `SELECT table_name AS table, column_name AS column, data_type AS type FROM information_schema.columns
        WHERE table_schema = 'public' ORDER BY 1, 2`,
    );
    const found = await withClient(url, async (client) => {
      const places: string[] = [];
      for (const { table, column, type } of columns) {
        const text = type === 'bytea' ? `encode("${column}", 'escape')` : `"${column}"::text`;
        const { rowCount } = await client.query(
          `SELECT 1 FROM ${table} WHERE lower(${text}) LIKE $1 OR ${text} LIKE '%417 3925%' LIMIT 1`,
          [`%${mark.toLowerCase()}%`],
        );
        if (rowCount) places.push(`${table}.${column}`);
      }
      return places;
    });
    expect(found.filter((place) => !place.startsWith('guests.'))).toEqual([]);
    expect(found).toEqual(expect.arrayContaining(['guests.last_name', 'guests.first_name', 'guests.phone']));
    const logs = `${service.stdout}${service.stderr}${readFileSync(join(inst.home, 'postgres/postgres.log'), 'utf8')}`;
    expect(logs).toContain(`/v1/guests/${guestId}`);
    expect(logs.split('\n').filter((line) => line.includes(mark) || line.includes('417 3925'))).toEqual([]);
  });
});

describe('after all this', () => {
  it('every event is applied once, no dead letter is there, and counters and read model equal a recount', async () => {
    await settled(url);
    expect(await pathFaults(url)).toEqual(NO_FAULTS);
  });

  it('the service has logged no error', () => {
    const lines = service.stdout.split('\n').filter((line) => /"level":"(error|fatal)"/.test(line));
    expect(lines).toEqual([]);
  });
});
