import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { openHouse, type FrontDesk } from '../support/front-desk.js';
import { ask as query, rowCounts, settledCounts } from '../support/house-sql.js';
import { newKey, until, type HttpClient, type Json } from '../support/http-client.js';
import { rawBytes, rawRequest } from '../support/raw-http.js';
import { Installation, type Service } from '../support/service.js';

let inst: Installation;
let service: Service;
let url: string;
let manager: HttpClient;
let platform: HttpClient;
let stranger: HttpClient;
let desk: FrontDesk;
let booked: Json;
let document: Json;

beforeAll(async () => {
  inst = await Installation.create();
  service = await inst.start();
  url = await inst.superUrl();
  [manager, platform] = await Promise.all([inst.client(service), inst.client(service, 'platform')]);
  await platform.data(201, platform.post('/v1/system/tenants', { code: 'other', name: 'Other' }));
  stranger = await inst.client(service, 'manager', 'other');
  desk = await openHouse(manager, 'INPUT');
  booked = await desk.book(0, 2);
  document = (await manager.get('/docs-json')).body;
}, 120_000);

afterAll(() => inst?.dispose());

const SURROGATE = '\ud800';

const jsonOf = (text: string, told: unknown): Json => {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`no JSON: ${JSON.stringify(told)}`, { cause });
  }
};

/** What every refusal looks like, whatever it refuses. */
function mustBeRefusal(answer: { readonly status: number; readonly text: string }, what: unknown): Json {
  const told = { what, status: answer.status, text: answer.text.slice(0, 500) };
  if (answer.status < 400 || answer.status >= 500) throw new Error(`no refusal: ${JSON.stringify(told)}`);
  const { error } = jsonOf(answer.text, told);
  expect({ ...told, error }).toEqual({
    ...told,
    error: expect.objectContaining({
      code: expect.stringMatching(/^[A-Z][A-Z_]+$/),
      category: expect.stringMatching(/^[A-Z_]+$/),
      message: expect.any(String),
      correlationId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    }),
  });
  return error;
}

type Case = readonly [what: string, body: () => unknown, status: number, code: string, path?: string];

/** A stay with fields changed; undefined takes one away. */
const stayWith = (fields: Json) => (): unknown => desk.stay(0, 2, fields);

const BODIES: readonly Case[] = [
  ['JSON that breaks off', () => '{"propertyId":', 400, 'MALFORMED_JSON'],
  ['no JSON', () => 'propertyId=1', 400, 'MALFORMED_JSON'],
  ['two documents', () => '{}{}', 400, 'MALFORMED_JSON'],
  [
    'bytes that are no UTF-8',
    () => Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
    400,
    'MALFORMED_JSON',
  ],
  ['a byte order mark', () => '\ufeff{}', 400, 'MALFORMED_JSON'],
  ['NaN', () => '{"adults": NaN}', 400, 'MALFORMED_JSON'],
  ['no body', () => '', 400, 'BODY_REQUIRED'],
  ['a list', () => [], 400, 'TYPE_INVALID'],
  ['a text', () => '"text"', 400, 'TYPE_INVALID'],
  ['null', () => 'null', 400, 'TYPE_INVALID'],
  ['a number', () => '1', 400, 'TYPE_INVALID'],
  ['an empty object', () => ({}), 400, 'FIELD_REQUIRED', 'guestId'],
  ['a missing field', stayWith({ guestId: undefined }), 400, 'FIELD_REQUIRED', 'guestId'],
  ['null for a field', stayWith({ adults: null }), 400, 'TYPE_INVALID', 'adults'],
  ['an unknown field', stayWith({ vip: true }), 400, 'UNKNOWN_FIELD', 'vip'],
  [
    'an unknown field below',
    stayWith({ priceOverride: { amountMinor: 1, reason: 'x', vip: 1 } }),
    400,
    'UNKNOWN_FIELD',
    'priceOverride.vip',
  ],
  ['__proto__', () => `{"__proto__": {"adults": 1}, "adults": 1}`, 400, 'UNKNOWN_FIELD', '__proto__'],
  ['constructor', stayWith({ constructor: { prototype: {} } }), 400, 'UNKNOWN_FIELD', 'constructor'],
  ['a text for a number', stayWith({ adults: '2' }), 400, 'TYPE_INVALID', 'adults'],
  ['half a person', stayWith({ adults: 1.5 }), 400, 'TYPE_INVALID', 'adults'],
  [
    'a number beyond all',
    () => JSON.stringify(desk.stay(0, 2)).replace('"adults":2', '"adults":1e400'),
    400,
    'TYPE_INVALID',
    'adults',
  ],
  ['a list for a text', stayWith({ arrival: ['2027-03-01'] }), 400, 'TYPE_INVALID', 'arrival'],
  ['an object for an id', stayWith({ propertyId: {} }), 400, 'TYPE_INVALID', 'propertyId'],
  ['a number for a truth', stayWith({ dayUse: 1 }), 400, 'TYPE_INVALID', 'dayUse'],
  ['a text for an object', stayWith({ priceOverride: 'cheap' }), 400, 'TYPE_INVALID', 'priceOverride'],
  ['an id that is none', stayWith({ propertyId: '1' }), 400, 'ID_INVALID', 'propertyId'],
  [
    'an id in upper case',
    stayWith({ guestId: '0190A1B2-0000-7000-8000-000000000001' }),
    400,
    'ID_INVALID',
    'guestId',
  ],
  ['an unknown property', stayWith({ propertyId: randomUUID() }), 404, 'PROPERTY_NOT_FOUND'],
  ['an unknown room type', stayWith({ roomTypeId: randomUUID() }), 404, 'ROOM_TYPE_NOT_FOUND'],
  ['an unknown rate plan', stayWith({ ratePlanId: randomUUID() }), 404, 'RATE_PLAN_NOT_FOUND'],
  ['an unknown guest', stayWith({ guestId: randomUUID() }), 404, 'GUEST_NOT_FOUND'],
  [
    'an arrival on the departure',
    stayWith({ departure: '2027-03-01' }),
    400,
    'STAY_DATES_INVALID',
    'departure',
  ],
  [
    'an arrival after the departure',
    stayWith({ arrival: '2027-03-05' }),
    400,
    'STAY_DATES_INVALID',
    'departure',
  ],
  [
    'an arrival before the business date',
    stayWith({ arrival: '2027-02-28' }),
    400,
    'ARRIVAL_BEFORE_BUSINESS_DATE',
    'arrival',
  ],
  [
    'an arrival in three years',
    stayWith({ arrival: '2030-02-01', departure: '2030-02-02' }),
    400,
    'ARRIVAL_TOO_FAR_AHEAD',
    'arrival',
  ],
  ['nobody', stayWith({ adults: 0 }), 400, 'PARTY_EMPTY', 'adults'],
  ['1,000 people', stayWith({ adults: 1_000 }), 400, 'OUT_OF_RANGE', 'adults'],
  ['100 people together', stayWith({ adults: 50, children: 50 }), 400, 'PARTY_TOO_LARGE', 'adults'],
  ['minus one child', stayWith({ children: -1 }), 400, 'OUT_OF_RANGE', 'children'],
  [
    'minus zero babies',
    () => JSON.stringify(desk.stay(0, 2)).replace('"adults":2', '"adults":2,"babies":-0'),
    400,
    'OUT_OF_RANGE',
    'babies',
  ],
  ['more than the room takes', stayWith({ adults: 9 }), 409, 'OCCUPANCY_EXCEEDED'],
  ['10,000 nights', stayWith({ departure: '2054-07-17' }), 400, 'STAY_TOO_LONG', 'departure'],
  ['366 nights', stayWith({ departure: '2028-03-01' }), 400, 'STAY_TOO_LONG', 'departure'],
  ['a day that does not exist', stayWith({ arrival: '2027-02-30' }), 400, 'DATE_INVALID', 'arrival'],
  ['29 February of another year', stayWith({ departure: '2027-02-29' }), 400, 'DATE_INVALID', 'departure'],
  ['a time for a day', stayWith({ arrival: '2027-03-01T00:00:00Z' }), 400, 'DATE_INVALID', 'arrival'],
  ['the year 10000', stayWith({ departure: '10000-01-01' }), 400, 'DATE_INVALID', 'departure'],
  ['NUL', stayWith({ externalId: 'a\u0000b' }), 400, 'TEXT_INVALID', 'externalId'],
  ['a lone surrogate', stayWith({ externalId: `a${SURROGATE}` }), 400, 'TEXT_INVALID', 'externalId'],
  ['a lone surrogate in a name', stayWith({ [SURROGATE]: 1 }), 400, 'UNKNOWN_FIELD', '\ufffd'],
  ['a text too long', stayWith({ externalId: 'x'.repeat(101) }), 400, 'TEXT_TOO_LONG', 'externalId'],
  ['a blank text', stayWith({ externalId: '   ' }), 400, 'TEXT_TOO_SHORT', 'externalId'],
  [
    'a price below zero',
    stayWith({ priceOverride: { amountMinor: -1, reason: 'x' } }),
    400,
    'OUT_OF_RANGE',
    'priceOverride.amountMinor',
  ],
  [
    'prices for other nights',
    stayWith({ priceOverride: { nightlyMinor: [1], reason: 'x' } }),
    400,
    'PRICE_COUNT_INVALID',
    'priceOverride.amountMinor',
  ],
  [
    'a price in a list that is none',
    stayWith({ priceOverride: { nightlyMinor: [1, 'x'], reason: 'x' } }),
    400,
    'TYPE_INVALID',
    'priceOverride.nightlyMinor.1',
  ],
  ['a body over the limit', () => JSON.stringify({ externalId: 'x'.repeat(300_000) }), 413, 'BODY_TOO_LARGE'],
  [
    'a body of ten thousand fields',
    () => Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`f${i}`, i])),
    400,
    'UNKNOWN_FIELD',
    'f0',
  ],
  ['a thousand levels', () => '{"a":'.repeat(1_000) + '1' + '}'.repeat(1_000), 400, 'BODY_TOO_DEEP'],
  ['thirty thousand lists', () => '['.repeat(30_000) + ']'.repeat(30_000), 400, 'BODY_TOO_DEEP'],
];

describe('a body that can not be right', () => {
  it('is 4xx with one code per cause and the path of the field, and writes nothing', async () => {
    const before = await settledCounts(url);
    for (const [what, body, status, code, path] of BODIES) {
      const answer = await manager.post('/v1/reservations', body());
      const error = mustBeRefusal(answer, what);
      const found = error.details?.find?.((detail: Json) => detail.code === code)?.path || undefined;
      expect({ what, status: answer.status, code: error.code, path: found }).toEqual({
        what,
        status,
        code,
        path,
      });
    }
    expect(await rowCounts(url)).toEqual(before);
  });

  it('is refused alike where a reservation is changed, held, quoted, cancelled', async () => {
    const before = await settledCounts(url);
    const at = `/v1/reservations/${booked.id}`;
    const cases: readonly (readonly [string, string, Json, number, string])[] = [
      ['PATCH', at, {}, 400, 'PATCH_EMPTY'],
      ['PATCH', at, { departure: '2027-02-30' }, 400, 'DATE_INVALID'],
      ['PATCH', at, { departure: '2027-03-01' }, 400, 'STAY_DATES_INVALID'],
      ['PATCH', at, { departure: '2054-07-17' }, 400, 'STAY_TOO_LONG'],
      ['PATCH', at, { adults: 0 }, 400, 'PARTY_EMPTY'],
      ['PATCH', at, { status: 'CHECKED_OUT' }, 400, 'UNKNOWN_FIELD'],
      ['PATCH', at, { roomTypeId: randomUUID() }, 404, 'ROOM_TYPE_NOT_FOUND'],
      ['POST', `${at}/cancel`, { reason: 'a\u0000' }, 400, 'TEXT_INVALID'],
      ['POST', `${at}/cancel`, { reason: 'x'.repeat(501) }, 400, 'TEXT_TOO_LONG'],
      ['POST', `${at}/check-out`, { early: true }, 400, 'UNKNOWN_FIELD'],
      ['POST', `${at}/check-in`, { roomNumber: 7 }, 400, 'TYPE_INVALID'],
      ['POST', '/v1/reservations/hold', desk.stay(0, 1, { holdSeconds: 1 }), 400, 'OUT_OF_RANGE'],
      ['POST', '/v1/reservations/quote', desk.stay(0, 1), 400, 'UNKNOWN_FIELD'],
    ];
    for (const [method, path, body, status, code] of cases) {
      const answer = await manager.call(method, path, { body, ifMatch: 1 });
      const error = mustBeRefusal(answer, [method, path, body]);
      expect({ method, path, body, status: answer.status, code: error.code }).toEqual({
        method,
        path,
        body,
        status,
        code,
      });
    }
    expect(await rowCounts(url)).toEqual(before);
  });
});

describe('a request that is odd', () => {
  it('in method, path, query or header is 4xx with a code, and writes nothing', async () => {
    const before = await settledCounts(url);
    const body = JSON.stringify(desk.stay(0, 1));
    const usual = {
      authorization: `Bearer ${manager.token}`,
      'content-type': 'application/json',
      'idempotency-key': newKey(),
    };
    const { 'idempotency-key': _, ...keyless } = usual;
    const at = `/v1/reservations/${booked.id}`;
    const long = 'x'.repeat(9_000);
    type Odd = readonly [
      string,
      string,
      number,
      string,
      (Record<string, string> | undefined)?,
      (string | Buffer)?,
    ];
    const cases: readonly Odd[] = [
      ['PUT', '/v1/reservations', 405, 'METHOD_NOT_ALLOWED', usual, body],
      ['DELETE', at, 405, 'METHOD_NOT_ALLOWED'],
      ['PROPFIND', at, 405, 'METHOD_NOT_ALLOWED'],
      ['OPTIONS', '/v1/reservations', 405, 'METHOD_NOT_ALLOWED'],
      ['GET', '/v1/nothing', 404, 'ROUTE_NOT_FOUND'],
      ['GET', '/v1//reservations', 404, 'ROUTE_NOT_FOUND'],
      ['GET', '/V1/reservations', 404, 'ROUTE_NOT_FOUND'],
      ['GET', '/v1/../v1/reservations', 404, 'ROUTE_NOT_FOUND'],
      ['GET', '/v1/%2e%2e/metrics', 404, 'ROUTE_NOT_FOUND'],
      ['GET', '/v1/reservations/%', 400, 'URL_INVALID'],
      ['GET', '/v1/reservations/%00', 400, 'ID_INVALID'],
      ['GET', '/v1/reservations/%ff%fe', 400, 'URL_INVALID'],
      ['GET', '/v1/reservations/..%2f..%2fetc%2fpasswd', 400, 'ID_INVALID'],
      ['GET', `/v1/reservations/${booked.id.toUpperCase()}`, 400, 'ID_INVALID'],
      ['GET', `${at}%20`, 400, 'ID_INVALID'],
      ['GET', `/v1/reservations/${'x'.repeat(2_000)}`, 400, 'ID_INVALID'],
      ['GET', `/v1/reservations/${randomUUID()}`, 404, 'RESERVATION_NOT_FOUND'],
      ['GET', '/v1/reservations?limit=0', 400, 'OUT_OF_RANGE'],
      ['GET', '/v1/reservations?limit=201', 400, 'OUT_OF_RANGE'],
      ['GET', '/v1/reservations?limit=1e2', 400, 'TYPE_INVALID'],
      ['GET', '/v1/reservations?limit=1&limit=2', 400, 'TYPE_INVALID'],
      ['GET', '/v1/reservations?limit[]=1', 400, 'UNKNOWN_FIELD'],
      ['GET', '/v1/reservations?status=GONE', 400, 'ENUM_INVALID'],
      ['GET', '/v1/reservations?__proto__=1', 400, 'UNKNOWN_FIELD'],
      ['GET', '/v1/reservations?guestName=%00', 400, 'TEXT_INVALID'],
      ['GET', '/v1/reservations?arrivalFrom=2027-02-30', 400, 'DATE_INVALID'],
      ['GET', '/v1/reservations?cursor=abc', 400, 'CURSOR_INVALID'],
      [
        'GET',
        `/v1/reservations?cursor=${Buffer.from('["2027-01-01","x"]').toString('base64url')}`,
        400,
        'CURSOR_INVALID',
      ],
      [
        'GET',
        `/v1/properties/${desk.propertyId}/occupancy?from=2027-03-02&to=2027-03-01`,
        400,
        'RANGE_INVALID',
      ],
      [
        'GET',
        `/v1/properties/${desk.propertyId}/occupancy?from=2000-01-01&to=2999-01-01`,
        400,
        'RANGE_TOO_LONG',
      ],
      ['GET', `/v1/properties/${desk.propertyId}/availability?from=2027-03-01`, 400, 'FIELD_REQUIRED'],
      [
        'POST',
        '/v1/reservations',
        415,
        'UNSUPPORTED_MEDIA_TYPE',
        { ...usual, 'content-type': 'text/plain' },
        body,
      ],
      [
        'POST',
        '/v1/reservations',
        415,
        'UNSUPPORTED_MEDIA_TYPE',
        { ...usual, 'content-type': 'application/x-www-form-urlencoded' },
        'a=1',
      ],
      [
        'POST',
        '/v1/reservations',
        400,
        'MALFORMED_JSON',
        { ...usual, 'content-encoding': 'gzip' },
        Buffer.from([0x1f, 0x8b, 8, 0]),
      ],
      ['POST', '/v1/reservations', 400, 'IDEMPOTENCY_KEY_REQUIRED', keyless, body],
      [
        'POST',
        '/v1/reservations',
        400,
        'IDEMPOTENCY_KEY_INVALID',
        { ...usual, 'idempotency-key': 'x'.repeat(201) },
        body,
      ],
      [
        'POST',
        '/v1/reservations',
        400,
        'IDEMPOTENCY_KEY_INVALID',
        { ...usual, 'idempotency-key': 'a b' },
        body,
      ],
      ['PATCH', at, 400, 'IF_MATCH_INVALID', { ...usual, 'if-match': 'W/"1"' }, '{"adults":1}'],
      ['PATCH', at, 400, 'IF_MATCH_INVALID', { ...usual, 'if-match': '*' }, '{"adults":1}'],
      ['PATCH', at, 400, 'IF_MATCH_INVALID', { ...usual, 'if-match': '"1", "2"' }, '{"adults":1}'],
      ['PATCH', at, 400, 'IF_MATCH_INVALID', { ...usual, 'if-match': '"99999999999"' }, '{"adults":1}'],
      ['GET', at, 401, 'TOKEN_MISSING', { 'x-nothing': '' }],
      ['GET', at, 401, 'TOKEN_INVALID', { authorization: 'Basic dGVzdDp0ZXN0' }],
      ['GET', at, 401, 'TOKEN_INVALID', { authorization: `Bearer ${long}` }],
    ];
    for (const [
      method,
      path,
      status,
      code,
      headers = { authorization: usual.authorization },
      sent,
    ] of cases) {
      const what = [method, path.slice(0, 100), headers === usual ? 'usual' : Object.keys(headers).join()];
      const answer = await rawRequest(service.url, {
        method,
        path,
        headers,
        ...(sent !== undefined && { body: sent }),
      });
      const error = mustBeRefusal(answer, what);
      expect({ what, status: answer.status, code: error.code }).toEqual({ what, status, code });
      if (status === 405) expect(answer.headers['allow']).toMatch(/^[A-Z]+(, [A-Z]+)*$/);
    }
    // Node answers this one itself, before anything of ours runs, and without a body.
    const headers = { ...usual, expect: 'a-miracle' };
    expect(
      await rawRequest(service.url, { method: 'POST', path: '/v1/reservations', headers, body }),
    ).toMatchObject({
      status: 417,
      text: '',
    });
    expect(await rowCounts(url)).toEqual(before);
  });

  it('in its very bytes is answered 400 or cut off, and the service serves on', async () => {
    const before = await settledCounts(url);
    const head = `POST /v1/reservations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${manager.token}\r\n`;
    for (const bytes of [
      'nonsense\r\n\r\n',
      'GET / HTTP/9.9\r\n\r\n',
      'GET /v1/reservations HTTP/1.1\r\n\r\n',
      `${head}Content-Length: -1\r\n\r\n`,
      `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `${head}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n`,
      `GET /v1/reservations HTTP/1.1\r\nHost: x\r\nX-Long: ${'y'.repeat(70_000)}\r\n\r\n`,
      `GET /${'z'.repeat(70_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01]),
    ]) {
      const heard = await rawBytes(service.url, bytes).catch(() => '');
      expect({ bytes: bytes.toString().slice(0, 60), heard: heard.slice(0, 40) }).toEqual({
        bytes: bytes.toString().slice(0, 60),
        heard: expect.stringMatching(/^($|HTTP\/1\.1 4\d\d )/),
      });
    }
    expect((await manager.get('/health/readiness')).status).toBe(200);
    expect(await rowCounts(url)).toEqual(before);
  });
});

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly parameters: Json[];
  /** The properties of its body, none: it takes none. */
  readonly fields: readonly string[];
}

/** Every operation that the OpenAPI document names. */
const operations = (): Operation[] =>
  Object.entries<Json>(document.paths).flatMap(([path, item]) =>
    Object.entries<Json>(item).map(([method, { parameters = [], requestBody }]) => {
      const ref: string | undefined = requestBody?.content?.['application/json']?.schema?.$ref;
      const schema = ref && document.components.schemas[ref.split('/').at(-1)!];
      return {
        method: method.toUpperCase(),
        path,
        parameters,
        fields: Object.keys(schema?.properties ?? {}),
      };
    }),
  );

describe('whatever a caller makes up', () => {
  it('for any route of the OpenAPI document is never answered by 5xx', async () => {
    const known = [desk.propertyId, desk.roomTypeId, desk.ratePlanId, desk.guestId, booked.id as string];
    const weird = fc.oneof(
      fc.constantFrom<unknown>(
        ...known,
        '2027-03-01',
        '2027-03-03',
        '2999-12-31',
        '1900-01-01',
        'DEMO',
        'EUR',
        'Europe/Lisbon',
      ),
      fc.constantFrom<unknown>(
        0,
        1,
        2,
        -1,
        99,
        2 ** 31,
        1e308,
        -0.5,
        true,
        false,
        null,
        '',
        '\u0000',
        SURROGATE,
        '%',
        "'; --",
        '{}',
        [],
        {},
      ),
      fc.jsonValue({ maxDepth: 3 }),
      fc.string({ unit: 'binary', maxLength: 60 }),
    );
    const segment = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...known) },
      { weight: 1, arbitrary: fc.uuid() },
      { weight: 1, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }) },
    );
    const asText = (value: unknown): string =>
      (typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).toWellFormed();
    const all = operations();
    expect(all.length).toBeGreaterThan(30);
    for (const { method, path, parameters, fields } of all) {
      const queries = parameters
        .filter((parameter) => parameter.in === 'query')
        .map(({ name }) => name as string);
      const request = fc.record({
        segments: fc.array(segment, { minLength: 3, maxLength: 3 }),
        query: fc.dictionary(fc.constantFrom(...queries, 'other'), weird, { maxKeys: 4 }),
        body: fc.oneof(
          {
            weight: 4,
            arbitrary: fc.record(Object.fromEntries(fields.map((field) => [field, weird])), {
              requiredKeys: [],
            }),
          },
          { weight: 1, arbitrary: fc.jsonValue() },
        ),
        ifMatch: fc.constantFrom(undefined, '"1"', '"2"', 'x'),
      });
      const caller = path.startsWith('/v1/system') ? platform : manager;
      await fc.assert(
        fc.asyncProperty(request, async ({ segments, query, body, ifMatch }) => {
          let next = 0;
          const filled = path.replaceAll(/\{[^}]+\}/g, () =>
            encodeURIComponent(segments[next++]!.toWellFormed()),
          );
          const search = new URLSearchParams(
            Object.entries(query).map(([name, value]): [string, string] => [name, asText(value)]),
          );
          const sends = method !== 'GET' && fields.length > 0;
          const answer = await caller.call(method, `${filled}?${search.toString()}`, {
            ...(sends && { body: JSON.stringify(body) }),
            ...(ifMatch !== undefined && { ifMatch }),
          });
          if (answer.status >= 400) mustBeRefusal(answer, [method, filled]);
        }),
        { numRuns: 12, seed: 20_150_701, endOnFailure: true },
      );
    }
  });

  it('is never logged as a fault of ours', () => {
    expect(service.stdout.split('\n').filter((line) => /"level":"(error|fatal)"/.test(line))).toEqual([]);
  });
});

describe("another tenant's token", () => {
  it('gets for every route with an id the bytes that it gets for an id that nobody has', async () => {
    const at = (ids: Json): Json => ({ ...ids, arrival: '2027-03-01', departure: '2027-03-02', adults: 1 });
    /** A sound body for each route that takes one, so that nothing but the id is at fault. */
    const bodies: Record<string, Json> = {
      'PATCH /v1/properties/{propertyId}': { name: 'Mine' },
      'POST /v1/properties/{propertyId}/business-date/advance': {},
      'POST /v1/properties/{propertyId}/room-types': {
        code: 'X',
        name: 'X',
        baseOccupancy: 1,
        maxOccupancy: 1,
        rooms: 1,
      },
      'PATCH /v1/properties/{propertyId}/room-types/{roomTypeId}': { name: 'Mine' },
      'PATCH /v1/properties/{propertyId}/room-types/{roomTypeId}/inventory': {
        from: '2027-03-01',
        to: '2027-03-02',
        rooms: 1,
      },
      'POST /v1/properties/{propertyId}/rate-plans': { code: 'X', name: 'X' },
      'PATCH /v1/properties/{propertyId}/rate-plans/{ratePlanId}': { name: 'Mine' },
      'PUT /v1/properties/{propertyId}/rate-plans/{ratePlanId}/prices': {
        roomTypeId: desk.roomTypeId,
        from: '2027-03-01',
        amountMinor: 1,
      },
      'PATCH /v1/guests/{guestId}': { lastName: 'Mine' },
      'PATCH /v1/reservations/{id}': { adults: 1 },
      'POST /v1/reservations/{id}/departure': { departure: '2027-03-02' },
      'POST /v1/reservations/{id}/cancel': { reason: 'mine' },
      'POST /v1/reservations/{id}/check-in': {},
      'POST /v1/reservations/{id}/resume': { reason: 'mine' },
      'POST /v1/requests/{correlationId}/resume': { reason: 'mine' },
    };
    const queries: Record<string, string> = { from: '2027-03-01', to: '2027-03-02' };
    const { propertyId, roomTypeId, ratePlanId, guestId } = desk;
    const { id, correlationId } = booked;
    const ids: Record<string, string> = { propertyId, roomTypeId, ratePlanId, guestId, id, correlationId };
    const headers = { 'x-correlation-id': '0190a1b2-0000-7000-8000-00000000aaaa' };
    // The fuzz before may have asked for a resumption with a reason that is one: the worker answers in its own time.
    await until('resumptions are carried out', async () => {
      const [row] = await query<{ n: number }>(
        url,
        `SELECT count(*)::int AS n FROM lifecycle_resumptions WHERE done_at IS NULL`,
      );
      return row!.n === 0;
    });
    const before = await settledCounts(url);
    const withIds = operations().filter(({ path }) => path.includes('{') && !path.startsWith('/v1/system'));
    expect(withIds.length).toBeGreaterThan(20);
    for (const { method, path, parameters } of withIds) {
      const required = parameters.filter((parameter) => parameter.in === 'query' && parameter.required);
      const search = new URLSearchParams(
        required.map(({ name }): [string, string] => [name, queries[name]!]),
      );
      const ask = (of: (name: string) => string) =>
        stranger.call(
          method,
          `${path.replaceAll(/\{([^}]+)\}/g, (_, name: string) => of(name))}?${search.toString()}`,
          {
            ...(bodies[`${method} ${path}`] && { body: bodies[`${method} ${path}`] }),
            ifMatch: 1,
            headers,
          },
        );
      const nobodys = await ask(() => randomUUID());
      const others = await ask((name) => ids[name]!);
      const told = { route: `${method} ${path}`, status: others.status, text: others.text };
      expect(told).toEqual({ route: told.route, status: 404, text: nobodys.text });
    }
    // In bodies and queries as well.
    for (const [path, body] of [
      [
        '/v1/reservations',
        at({
          propertyId: desk.propertyId,
          roomTypeId: desk.roomTypeId,
          ratePlanId: desk.ratePlanId,
          guestId: desk.guestId,
        }),
      ],
      [
        '/v1/reservations/quote',
        at({ propertyId: desk.propertyId, roomTypeId: desk.roomTypeId, ratePlanId: desk.ratePlanId }),
      ],
    ] as const) {
      const unknown = Object.fromEntries(
        Object.entries<Json>(body).map(([name, value]) => [name, name.endsWith('Id') ? randomUUID() : value]),
      );
      const [others, nobodys] = [
        await stranger.post(path, body, { headers }),
        await stranger.post(path, unknown, { headers }),
      ];
      expect({ path, status: others.status, text: others.text }).toEqual({
        path,
        status: 404,
        text: nobodys.text,
      });
    }
    const search = async (query: string): Promise<string> =>
      (await stranger.get(`/v1/reservations?${query}`, { headers })).text;
    expect(await search(`propertyId=${desk.propertyId}`)).toBe(await search(`propertyId=${randomUUID()}`));
    expect(await search(`guestId=${desk.guestId}`)).toBe(await search(`guestId=${randomUUID()}`));
    expect(await search(`confirmationNumber=${booked.confirmationNumber}`)).toBe(
      await search('confirmationNumber=22222222'),
    );
    expect(await rowCounts(url)).toEqual(before);
    expect((await stranger.get('/v1/properties')).body.data).toEqual([]);
    expect((await stranger.get('/v1/guests')).body.data).toEqual([]);
  });
});
