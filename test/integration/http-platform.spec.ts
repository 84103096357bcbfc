import { createHmac } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Body, Controller, Get, Post, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { importJWK, SignJWT, type JWK } from 'jose';
import { TokenIssuer } from '../../src/modules/identity/contract/token-issuer.js';
import type { OpContext } from '../../src/platform/context/op-context.js';
import { runOnce, type Claim } from '../../src/platform/database/idempotency.js';
import { sql } from '../../src/platform/database/sql.js';
import { UnitOfWork } from '../../src/platform/database/unit-of-work.js';
import { Access, Public } from '../../src/platform/http/access.js';
import { answer, sendAnswer } from '../../src/platform/http/answer.js';
import {
  ArrayField,
  BoolField,
  DateField,
  EnumField,
  IdField,
  IntField,
  MoneyField,
  NestedArrayField,
  NestedField,
  TextField,
} from '../../src/platform/http/fields.js';
import { decodeCursor, PageQuery } from '../../src/platform/http/pagination.js';
import { Ctx, IdempotencyKey, IfMatch, PathId } from '../../src/platform/http/request.js';
import { idRule } from '../../src/platform/http/rules.js';
import { DomainError, type ErrorCategory } from '../../src/platform/kernel/errors.js';
import { newId, PLATFORM_TENANT_ID, tenantId } from '../../src/platform/kernel/ids.js';
import { HttpApp, logged, type Answer } from './http-app.js';

const SECRET_NAME = 'Zuleika Dobson';
const tenant = tenantId(newId());

class Person {
  @TextField({ max: 10 })
  name!: string;
}

class Everything {
  @TextField({ max: 10 })
  text!: string;

  @IntField({ min: 1, max: 9, optional: true })
  int?: number;

  @MoneyField({ optional: true })
  money?: number;

  @DateField({ optional: true })
  date?: string;

  @IdField({ optional: true })
  id?: string;

  @EnumField({ values: ['RED', 'BLUE'], optional: true })
  colour?: string;

  @BoolField({ optional: true })
  flag?: boolean;

  @TextField({ max: 10, optional: true, nullable: true })
  empty?: string | null;

  @NestedField(() => Person, { optional: true })
  person?: Person;

  @NestedArrayField(() => Person, { max: 2, optional: true })
  people?: Person[];

  @ArrayField(idRule, { max: 2, optional: true })
  ids?: string[];
}

const TERMINATE = sql('test.terminate', 'SELECT pg_terminate_backend(pg_backend_pid())');
const MISTYPE = sql('test.mistype', 'SELECT $1::text::uuid');

@Controller('v1/things')
class ThingController {
  constructor(private readonly uow: UnitOfWork) {}

  @Post()
  @Access('thing:write')
  async create(
    @Ctx() ctx: OpContext,
    @IdempotencyKey() claim: Claim,
    @Body() body: Everything,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    sendAnswer(reply, await runOnce(this.uow, ctx, 'thing.create', claim, async () => answer(201, body)));
  }

  @Get()
  @Access('thing:read')
  list(@Query() { limit, cursor }: PageQuery): object {
    return { data: decodeCursor(cursor, ['id', 'date']), pagination: { limit, nextCursor: null } };
  }

  @Get('open')
  @Public()
  open(): object {
    return { data: 'open' };
  }

  @Get('context')
  @Access('thing:read')
  context(@Ctx() { tenantId: id, actor, correlationId, traceparent, source, ip }: OpContext): object {
    return { data: { id, subject: actor.subject, correlationId, traceparent, source, ip } };
  }

  @Get('broken')
  @Public()
  broken(): never {
    throw new TypeError(`no ${SECRET_NAME}`);
  }

  @Get('database/:fault')
  @Public()
  async fault(): Promise<never> {
    await this.uow.run({ tenantId: tenant }, 'test.mistype', (tx) => tx.query(MISTYPE, [SECRET_NAME]));
    throw new Error('unreachable');
  }

  @Get('unavailable')
  @Public()
  async unavailable(): Promise<never> {
    await this.uow.run({ tenantId: tenant }, 'test.terminate', (tx) => tx.query(TERMINATE, []));
    throw new Error('unreachable');
  }

  @Get('refusal/:category/:code')
  @Public()
  refusal(@Query() { limit }: PageQuery, @Res({ passthrough: true }) reply: FastifyReply): never {
    void limit;
    const { category, code } = reply.request.params as { category: ErrorCategory; code: string };
    throw new DomainError(code, category, 'Refused.', { why: 'asked' });
  }

  @Get(':id')
  @Access('thing:read')
  get(@PathId('id') id: string, @IfMatch() version: number): object {
    return { data: { id, version } };
  }
}

@Controller('v1/forgotten')
class ForgottenController {
  @Get('here')
  here(): string {
    return 'reached';
  }

  @Post()
  @Access('thing:nonsense')
  nonsense(): string {
    return 'reached';
  }
}

let app: HttpApp;
let token: string;

beforeAll(async () => {
  app = await HttpApp.start([], {
    controllers: [ThingController],
    permissions: ['thing:read', 'thing:write'],
  });
  token = await app.token(tenant, ['thing:read', 'thing:write']);
});
afterAll(() => app.stop());

const post = (body: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  app.call('POST', '/v1/things', { token, body, headers });
const get = (url: string, headers: Record<string, string> = {}): Promise<Answer> =>
  app.call('GET', url, { token, headers });

describe('access', () => {
  it('stops the start and names every route without sound access', async () => {
    const started = HttpApp.start([], { controllers: [ForgottenController], permissions: ['thing:read'] });
    await expect(started).rejects.toThrow(/GET \/v1\/forgotten\/here .*neither @Access nor @Public/);
    await expect(
      HttpApp.start([], { controllers: [ForgottenController], permissions: ['thing:read'] }),
    ).rejects.toThrow(/POST \/v1\/forgotten .*thing:nonsense, which is no permission/);
  });

  it('refuses a route without annotation even where the start was not stopped', async () => {
    const { AccessGuard } = await import('../../src/platform/http/access.js');
    const guard = app.nest.get(AccessGuard);
    const context = {
      getHandler: () => ForgottenController.prototype.here,
      getClass: () => ForgottenController,
      getType: () => 'http',
    };
    await expect(guard.canActivate(context as never)).resolves.toBe(false);
  });

  it('lets anybody read a public route, whatever the method or trailing slash', async () => {
    expect((await app.call('GET', '/v1/things/open')).status).toBe(200);
    expect((await app.call('HEAD', '/v1/things/open/')).status).toBe(200);
  });

  it.each(['GET', 'HEAD'])('asks %s for a token', async (method) => {
    const refused = await app.call(method, '/v1/things');
    expect(refused.status).toBe(401);
    expect(refused.headers['www-authenticate']).toBe('Bearer');
  });

  it('tells a missing token from an invalid and an expired one', async () => {
    const codes = async (authorization?: string): Promise<string> => {
      const headers = authorization === undefined ? undefined : { authorization };
      const refused = await app.call('GET', '/v1/things', { headers });
      expect(refused.status).toBe(401);
      expect(refused.headers['www-authenticate']).toMatch(/^Bearer/);
      return refused.body.error.code;
    };
    expect(await codes()).toBe('TOKEN_MISSING');
    expect(await codes('Basic dXNlcjpwYXNz')).toBe('TOKEN_INVALID');
    expect(await codes('Bearer a.b.c')).toBe('TOKEN_INVALID');
    expect(await codes(`Bearer ${await signed({ exp: Math.floor(Date.now() / 1000) - 1 })}`)).toBe(
      'TOKEN_EXPIRED',
    );
  });

  it.each([
    ['another issuer', { iss: 'evil' }],
    ['another audience', { aud: 'other-api' }],
    ['no expiry', { exp: undefined }],
    ['no subject', { sub: undefined }],
    ['a subject with a line feed', { sub: 'a\nb' }],
    ['no tenant', { tenant_id: undefined }],
    ['a tenant that is no id', { tenant_id: 'demo' }],
    ['permissions that are no list', { permissions: 'thing:read' }],
    ['permissions that are no texts', { permissions: [1] }],
    ['a time to begin that lies ahead', { nbf: Math.floor(Date.now() / 1000) + 600 }],
  ])('refuses a well-signed token with %s', async (_, claims) => {
    const refused = await app.call('GET', '/v1/things', { token: await signed(claims) });
    expect([refused.status, refused.body.error.code]).toEqual([401, 'TOKEN_INVALID']);
  });

  it('tries neither "none" nor a shared secret', async () => {
    const payload = (await signed({})).split('.')[1]!;
    const part = (header: object): string => Buffer.from(JSON.stringify(header)).toString('base64url');
    const jwks = await readFile(app.config.jwksFile, 'utf8');
    const { kid } = (JSON.parse(jwks) as { keys: JWK[] }).keys[0]!;
    const head = part({ alg: 'HS256', kid });
    const mac = createHmac('sha256', jwks).update(`${head}.${payload}`).digest('base64url');
    for (const forged of [`${part({ alg: 'none' })}.${payload}.`, `${head}.${payload}.${mac}`])
      expect((await app.call('GET', '/v1/things', { token: forged })).status).toBe(401);
  });

  it('refuses a token whose payload was changed, also when the token was verified before', async () => {
    const good = await signed({ permissions: ['thing:read'] });
    expect((await app.call('GET', '/v1/things', { token: good })).status).toBe(200);
    const [head, payload, signature] = good.split('.');
    const claims = JSON.parse(Buffer.from(payload!, 'base64url').toString()) as object;
    const forged = Buffer.from(JSON.stringify({ ...claims, permissions: ['*'] })).toString('base64url');
    expect((await app.call('GET', '/v1/things', { token: `${head}.${forged}.${signature}` })).status).toBe(
      401,
    );
  });

  it('refuses who lacks the permission, and names it', async () => {
    const reader = await app.token(tenant, ['thing:read']);
    const refused = await app.call('POST', '/v1/things', { token: reader, body: { text: 'a' } });
    expect([refused.status, refused.body.error.code]).toEqual([403, 'PERMISSION_DENIED']);
    expect(refused.body.error.details).toEqual({ permission: 'thing:write' });
  });

  it('takes up new keys without a restart, and drops old ones', async () => {
    const old = await signed({});
    expect((await app.call('GET', '/v1/things', { token: old })).status).toBe(200);
    const jwks = await readFile(app.config.jwksFile, 'utf8');
    const key = await readFile(app.config.signingKeyFile, 'utf8');
    const now = Date.now();
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => now + 3_000);
    try {
      await rm(app.config.signingKeyFile);
      await rm(app.config.jwksFile);
      const fresh = await app.nest.get(TokenIssuer).issueToken({
        tenantId: tenant,
        subject: 'tester',
        permissions: ['thing:read'],
        ttlSeconds: 60,
      });
      expect((await app.call('GET', '/v1/things', { token: fresh })).status).toBe(200);
      expect((await app.call('GET', '/v1/things', { token: old })).status).toBe(401);
      await writeFile(app.config.jwksFile, jwks);
      await writeFile(app.config.signingKeyFile, key);
      clock.mockImplementation(() => now + 6_000);
      expect((await app.call('GET', '/v1/things', { token: old })).status).toBe(200);
    } finally {
      clock.mockRestore();
    }
  });

  it('makes the context of the command', async () => {
    const correlationId = newId();
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const { body, headers } = await get('/v1/things/context', {
      'x-correlation-id': correlationId,
      traceparent,
    });
    expect(body.data).toMatchObject({
      id: tenant,
      subject: 'tester',
      correlationId,
      source: 'http',
      ip: '127.0.0.1',
    });
    expect(body.data.traceparent).toMatch(
      /^00-0af7651916cd43dd8448eb211c80319c-(?!b7ad6b7169203331)[0-9a-f]{16}-01$/,
    );
    expect(headers['x-correlation-id']).toBe(correlationId);
    for (const odd of ['nonsense', correlationId.toUpperCase(), `${correlationId}\t`, 'a'.repeat(4_000)]) {
      const other = await get('/v1/things/context', { 'x-correlation-id': odd });
      expect(other.body.data.correlationId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    }
  });
});

/** A token of the platform's own key with other claims. */
async function signed(claims: Record<string, unknown>): Promise<string> {
  const key = await app.nest.get(TokenIssuer).ensureKeys();
  const now = Math.floor(Date.now() / 1000);
  const payload = {
    iss: 'tartware',
    aud: 'tartware-api',
    sub: 'tester',
    tenant_id: tenant,
    permissions: ['thing:read'],
    exp: now + 60,
    ...claims,
  };
  return new SignJWT(payload)
    .setProtectedHeader({ alg: 'EdDSA', kid: key.kid! })
    .sign(await importJWK(key, 'EdDSA'));
}

describe('bodies', () => {
  it.each<[string, unknown, string, string]>([
    ['a missing field', {}, 'FIELD_REQUIRED', 'text'],
    ['null for a required field', { text: null }, 'TYPE_INVALID', 'text'],
    ['a number for a text', { text: 5 }, 'TYPE_INVALID', 'text'],
    ['an object for a text', { text: { a: 1 } }, 'TYPE_INVALID', 'text'],
    ['an empty text', { text: '' }, 'TEXT_TOO_SHORT', 'text'],
    ['a text of blanks', { text: '   ' }, 'TEXT_TOO_SHORT', 'text'],
    ['a long text', { text: 'x'.repeat(11) }, 'TEXT_TOO_LONG', 'text'],
    ['a NUL byte', { text: 'a\u0000b' }, 'TEXT_INVALID', 'text'],
    ['a lone surrogate', '{"text":"a\\ud800b"}', 'TEXT_INVALID', 'text'],
    ['a control character', { text: 'a\u001bb' }, 'TEXT_INVALID', 'text'],
    ['a field that there is not', { text: 'a', x: 1 }, 'UNKNOWN_FIELD', 'x'],
    ['__proto__', '{"text":"a","__proto__":{"admin":true}}', 'UNKNOWN_FIELD', '__proto__'],
    ['constructor', { text: 'a', constructor: { prototype: {} } }, 'UNKNOWN_FIELD', 'constructor'],
    [
      'hasOwnProperty',
      { text: 'a', person: { name: 'a', hasOwnProperty: 1 } },
      'UNKNOWN_FIELD',
      'person.hasOwnProperty',
    ],
    ['a text for a number', { text: 'a', int: '2' }, 'TYPE_INVALID', 'int'],
    ['a fraction', { text: 'a', int: 1.5 }, 'TYPE_INVALID', 'int'],
    ['an infinite number', '{"text":"a","int":1e999}', 'TYPE_INVALID', 'int'],
    ['a number out of range', { text: 'a', int: 10 }, 'OUT_OF_RANGE', 'int'],
    ['a negative amount', { text: 'a', money: -1 }, 'OUT_OF_RANGE', 'money'],
    ['a date that is none', { text: 'a', date: '2015-02-29' }, 'DATE_INVALID', 'date'],
    ['a date with a time', { text: 'a', date: '2015-02-28T00:00:00Z' }, 'DATE_INVALID', 'date'],
    ['a number for a date', { text: 'a', date: 20150228 }, 'TYPE_INVALID', 'date'],
    ['an id that is none', { text: 'a', id: 'abc' }, 'ID_INVALID', 'id'],
    ['an id in capitals', { text: 'a', id: newId().toUpperCase() }, 'ID_INVALID', 'id'],
    ['a word not on the list', { text: 'a', colour: 'red' }, 'ENUM_INVALID', 'colour'],
    ['a text for a boolean', { text: 'a', flag: 'true' }, 'TYPE_INVALID', 'flag'],
    ['a list for an object', { text: 'a', person: [{ name: 'a' }] }, 'TYPE_INVALID', 'person'],
    ['a text for an object', { text: 'a', person: 'a' }, 'TYPE_INVALID', 'person'],
    ['a fault in an object', { text: 'a', person: { name: '' } }, 'TEXT_TOO_SHORT', 'person.name'],
    [
      'an unknown field in an object',
      { text: 'a', person: { name: 'a', x: 1 } },
      'UNKNOWN_FIELD',
      'person.x',
    ],
    [
      'a fault in a list of objects',
      { text: 'a', people: [{ name: 'a' }, {}] },
      'FIELD_REQUIRED',
      'people.1.name',
    ],
    ['a number in a list of objects', { text: 'a', people: [{ name: 'a' }, 5] }, 'TYPE_INVALID', 'people.1'],
    [
      'a long list',
      { text: 'a', people: [{ name: 'a' }, { name: 'b' }, { name: 'c' }] },
      'OUT_OF_RANGE',
      'people',
    ],
    ['a fault in a list of values', { text: 'a', ids: [newId(), 'x'] }, 'ID_INVALID', 'ids.1'],
    ['an object for a list', { text: 'a', ids: {} }, 'TYPE_INVALID', 'ids'],
    ['a list', [], 'TYPE_INVALID', ''],
    ['null', 'null', 'TYPE_INVALID', ''],
    ['a text', '"text"', 'TYPE_INVALID', ''],
  ])('refuses %s, with its code and path', async (_, body, code, path) => {
    const refused = await post(body);
    expect([refused.status, refused.body.error.code]).toEqual([400, code]);
    expect(refused.body.error).toMatchObject({
      category: 'VALIDATION',
      details: expect.arrayContaining([expect.objectContaining({ path, code })]),
    });
    expect(refused.body.error.correlationId).toBe(refused.headers['x-correlation-id']);
  });

  it('names every field at fault, fifty at most', async () => {
    const refused = await post({ int: 'x', date: 'x', person: { name: 5 } });
    expect(refused.body.error.details.map(({ path }: { path: string }) => path).sort()).toEqual([
      'date',
      'int',
      'person.name',
      'text',
    ]);
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x${i}`, 1]));
    expect((await post(many)).body.error.details).toHaveLength(50);
  });

  it('takes what is sound, and converts nothing', async () => {
    const body = {
      text: 'é 1',
      int: 1,
      empty: null,
      people: [{ name: 'a' }],
      ids: [newId()],
      date: '2016-02-29',
    };
    const done = await post(body);
    expect([done.status, done.body.data]).toEqual([201, body]);
  });

  it.each<[string, string | Buffer, Record<string, string>, number, string]>([
    ['malformed JSON', '{"text":', {}, 400, 'MALFORMED_JSON'],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), {}, 400, 'MALFORMED_JSON'],
    ['an empty body', '', {}, 400, 'BODY_REQUIRED'],
    ['a deep body', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, {}, 400, 'BODY_TOO_DEEP'],
    ['a body over 256 KiB', `{"text":"${'x'.repeat(262_144)}"}`, {}, 413, 'BODY_TOO_LARGE'],
    [
      'a form',
      'text=a',
      { 'content-type': 'application/x-www-form-urlencoded' },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['plain text', 'a', { 'content-type': 'text/plain' }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['a type that is none', '{}', { 'content-type': 'nonsense' }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
  ])('refuses %s', async (_, body, headers, status, code) => {
    const refused = await post(body, headers);
    expect([refused.status, refused.body.error.code]).toEqual([status, code]);
    expect(refused.text).not.toMatch(/FST_|SyntaxError|node_modules/);
  });

  it('refuses no body where one is needed', async () => {
    const refused = await app.call('POST', '/v1/things', { token });
    expect([refused.status, refused.body.error.code]).toEqual([400, 'BODY_REQUIRED']);
  });
});

describe('headers, paths and queries', () => {
  const good = { text: 'a' };

  it.each([
    [null, 'IDEMPOTENCY_KEY_REQUIRED'],
    ['', 'IDEMPOTENCY_KEY_REQUIRED'],
    ['has a blank', 'IDEMPOTENCY_KEY_INVALID'],
    ['ümlaut', 'IDEMPOTENCY_KEY_INVALID'],
    ['x'.repeat(201), 'IDEMPOTENCY_KEY_INVALID'],
  ])('refuses the Idempotency-Key %j', async (key, code) => {
    const refused = await app.call('POST', '/v1/things', { token, body: good, key });
    expect([refused.status, refused.body.error.code]).toEqual([400, code]);
  });

  it.each([
    [undefined, 428, 'PRECONDITION_REQUIRED'],
    ['3', 400, 'IF_MATCH_INVALID'],
    ['W/"3"', 400, 'IF_MATCH_INVALID'],
    ['"3", "4"', 400, 'IF_MATCH_INVALID'],
    ['*', 400, 'IF_MATCH_INVALID'],
    ['"0"', 400, 'IF_MATCH_INVALID'],
    ['"99999999999"', 400, 'IF_MATCH_INVALID'],
  ])('refuses If-Match %j with %d', async (ifMatch, status, code) => {
    const refused = await app.call('GET', `/v1/things/${newId()}`, { token, ...(ifMatch && { ifMatch }) });
    expect([refused.status, refused.body.error.code]).toEqual([status, code]);
  });

  it.each([
    'abc',
    'abc%00',
    '%ed%a0%80',
    encodeURIComponent("' OR 1=1"),
    'x'.repeat(300),
    newId().toUpperCase(),
  ])('refuses the id %s in the path with a 4xx', async (id) => {
    const refused = await app.call('GET', `/v1/things/${id}`, { token, ifMatch: 1 });
    expect(refused.status).toBe(400);
    expect(['ID_INVALID', 'URL_INVALID']).toContain(refused.body.error.code);
  });

  it('reads numbers out of a query, and only where they are wanted', async () => {
    expect((await get('/v1/things?limit=7')).body.pagination.limit).toBe(7);
    expect((await get('/v1/things')).body.pagination.limit).toBe(50);
  });

  it.each([
    ['limit=0', 'OUT_OF_RANGE'],
    ['limit=201', 'OUT_OF_RANGE'],
    ['limit=ten', 'TYPE_INVALID'],
    ['limit=1&limit=2', 'TYPE_INVALID'],
    ['limit=', 'TYPE_INVALID'],
    ['offset=1', 'UNKNOWN_FIELD'],
    ['__proto__=1', 'UNKNOWN_FIELD'],
    ['hasOwnProperty=1', 'UNKNOWN_FIELD'],
    ['cursor=%00', 'TEXT_INVALID'],
    ['cursor=!!!', 'CURSOR_INVALID'],
    ['cursor=e30', 'CURSOR_INVALID'],
    [`cursor=${Buffer.from('["x","2020-01-01"]').toString('base64url')}`, 'CURSOR_INVALID'],
    [`cursor=${Buffer.from(`["${newId()}","2020-02-30"]`).toString('base64url')}`, 'CURSOR_INVALID'],
    [`cursor=${Buffer.from('[1,2]').toString('base64url')}`, 'CURSOR_INVALID'],
  ])('refuses the query %s', async (query, code) => {
    const refused = await get(`/v1/things?${query}`);
    expect([refused.status, refused.body.error.code]).toEqual([400, code]);
  });

  it('tells an unknown route from a wrong method', async () => {
    const unknown = await get('/v1/nothing');
    expect([unknown.status, unknown.body.error.code]).toEqual([404, 'ROUTE_NOT_FOUND']);
    const wrong = await app.call('DELETE', '/v1/things', { token });
    expect([wrong.status, wrong.body.error.code, wrong.headers['allow']]).toEqual([
      405,
      'METHOD_NOT_ALLOWED',
      'GET, HEAD, POST',
    ]);
    const broken = await get('/v1/things/%zz');
    expect([broken.status, broken.body.error.code]).toEqual([400, 'URL_INVALID']);
    expect(broken.headers['x-correlation-id']).toBe(broken.body.error.correlationId);
  });
});

describe('errors', () => {
  it.each<[ErrorCategory, string, number]>([
    ['VALIDATION', 'ANY', 400],
    ['AUTHN', 'ANY', 401],
    ['AUTHZ', 'ANY', 403],
    ['NOT_FOUND', 'ANY', 404],
    ['CONFLICT', 'ANY', 409],
    ['RATE_LIMIT', 'ANY', 429],
    ['INTERNAL', 'ANY', 500],
    ['UNAVAILABLE', 'ANY', 503],
    ['VALIDATION', 'IDEMPOTENCY_KEY_REUSED', 422],
    ['CONFLICT', 'VERSION_STALE', 412],
  ])('answers %s %s with %d', async (category, code, status) => {
    const refused = await app.call('GET', `/v1/things/refusal/${category}/${code}`);
    expect(refused.status).toBe(status);
    expect(refused.body).toEqual({
      error: {
        code,
        category,
        message: 'Refused.',
        details: { why: 'asked' },
        correlationId: refused.headers['x-correlation-id'],
      },
    });
  });

  it('says 503 and when to come back while the database is away', async () => {
    const refused = await app.call('GET', '/v1/things/unavailable');
    expect([refused.status, refused.body.error.code, refused.headers['retry-after']]).toEqual([
      503,
      'UNAVAILABLE',
      '1',
    ]);
  });

  it('says nothing of what went wrong inside, and logs no value', async () => {
    for (const url of ['/v1/things/broken', '/v1/things/database/mistype']) {
      logged.length = 0;
      const refused = await app.call('GET', url);
      expect(refused.status).toBe(500);
      expect(refused.body.error).toEqual({
        code: 'INTERNAL',
        category: 'INTERNAL',
        message: 'Something went wrong on our side.',
        correlationId: refused.headers['x-correlation-id'],
      });
      expect(logged.length).toBeGreaterThan(0);
      if (url.includes('database')) expect(JSON.stringify(logged)).not.toContain(SECRET_NAME);
    }
    expect(JSON.stringify(logged)).toContain('22P02');
  });
});

describe('documentation', () => {
  it('describes every route with its permission, its headers and its refusals', async () => {
    const { status, body } = await app.call('GET', '/docs-json');
    expect(status).toBe(200);
    const operation = body.paths['/v1/things'].post;
    expect(operation['x-permission']).toBe('thing:write');
    expect(operation.security).toEqual([{ bearer: [] }]);
    expect(operation.parameters.map(({ name }: { name: string }) => name)).toContain('Idempotency-Key');
    expect(operation.responses.default.content['application/json'].schema.$ref).toBe(
      '#/components/schemas/Error',
    );
    expect((await app.call('GET', '/docs')).text).toContain('swagger-ui');
  });
});

describe('the platform token', () => {
  it('is verified like any other', async () => {
    const platform = await app.token(PLATFORM_TENANT_ID, ['thing:read']);
    expect((await app.call('GET', '/v1/things/context', { token: platform })).body.data.id).toBe(
      PLATFORM_TENANT_ID,
    );
  });
});
