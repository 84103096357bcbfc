import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { EVENT_TYPES } from '../../src/modules/outbox/contract/event-types.js';
import { openHouse } from '../support/front-desk.js';
import { ask } from '../support/house-sql.js';
import { until, type HttpClient, type Json } from '../support/http-client.js';
import { Installation, ROOT, type Service } from '../support/service.js';

/** A record of the log, as any reader gets it. */
interface Record {
  readonly key: string;
  readonly value: Json;
  readonly headers: { readonly [name: string]: string };
}

let inst: Installation;
let service: Service;
let url: string;
let manager: HttpClient;

beforeAll(async () => {
  inst = await Installation.create({ LOG_LEVEL: 'debug', KAFKA_MAX_MESSAGE_BYTES: '10000' });
  service = await inst.start();
  url = await inst.superUrl();
  manager = await inst.client(service, 'admin');
}, 120_000);
afterAll(() => inst?.dispose());

const records = async (): Promise<Record[]> =>
  (
    await ask<{ key: string; value: Buffer; headers: Record['headers'] }>(
      url,
      `SELECT key, value, headers FROM event_log_records WHERE topic = 'reservations.events'`,
    )
  ).map(({ key, value, headers }) => ({ key, value: JSON.parse(value.toString()), headers }));

/** The log once every event that was committed is in it. */
const wholeLog = (): Promise<Record[]> =>
  until('an empty queue', async () => {
    const [waiting] = await ask<{ n: number }>(url, `SELECT count(*)::int AS n FROM outbox_queue`);
    return waiting!.n === 0 && records();
  });

const document = (file: string): Json => JSON.parse(readFileSync(join(ROOT, 'docs/asyncapi', file), 'utf8'));

/** The schema with nothing allowed beside what it names: a producer writes no more than it documents. */
const closed = (schema: Json): Json => ({
  ...schema,
  ...(schema.properties && {
    additionalProperties: false,
    properties: Object.fromEntries(
      Object.entries<Json>(schema.properties).map(([name, member]) => [name, closed(member)]),
    ),
  }),
  ...(schema.items && { items: closed(schema.items) }),
});

const ajv = addFormats.default(new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true }));
const validators = new Map<string, ValidateFunction>();
const faultsOf = (name: string, schema: () => Json, value: unknown): object[] => {
  let validate = validators.get(name);
  if (!validate) validators.set(name, (validate = ajv.compile(closed(schema()))));
  validate(value);
  return (validate.errors ?? []).map((error) => ({ name, ...error }));
};

/** Every command that there is, at least once. */
async function everything(): Promise<void> {
  const desk = await openHouse(manager, 'ALL', 9);
  const at = `/v1/properties/${desk.propertyId}`;
  const ok = (answer: Promise<Json>): Promise<Json> =>
    answer.then((got: Json) => {
      if (got.status >= 300) throw new Error(`${got.status}: ${got.text}`);
      return got.body.data;
    });
  const versionOf = async (path: string): Promise<number> =>
    (await manager.data(200, manager.get(path))).version;
  const edit = async (path: string, body: object, of = path): Promise<Json> =>
    ok(manager.patch(path, body, { ifMatch: await versionOf(of) }));
  await edit(at, { name: 'Another' });
  await edit(`${at}/room-types/${desk.roomTypeId}`, { name: 'Suite' });
  await edit(
    `${at}/room-types/${desk.roomTypeId}/inventory`,
    { from: desk.day(40), to: desk.day(42), rooms: 8 },
    `${at}/room-types/${desk.roomTypeId}`,
  );
  const plan = await ok(manager.post(`${at}/rate-plans`, { code: 'CORP', name: 'Corporate' }));
  await edit(`${at}/rate-plans/${plan.id}`, { name: 'Company' });
  await edit(`/v1/guests/${desk.guestId}`, { firstName: 'Ana', email: 'ana@example.org', address: 'Rua 1' });
  await edit('/v1/tenant', { name: 'Demo Hotels and more' });

  const held = await ok(manager.post('/v1/reservations/hold', desk.stay(1, 1, { holdSeconds: 60 })));
  await ok(desk.command(held.id, 'confirm'));
  const late = await ok(manager.post('/v1/reservations/hold', desk.stay(1, 1, { holdSeconds: 60 })));
  await ask(
    url,
    `WITH off AS (SELECT set_config('session_replication_role', 'replica', false))
     UPDATE reservations SET hold_expires_at = now() - interval '1 minute' FROM off WHERE reservation_id = $1`,
    [late.id],
  );
  const moved = await desk.book(3, 2, { externalId: 'OTA 7' });
  await ok(manager.patch(`/v1/reservations/${moved.id}`, { adults: 1 }, { ifMatch: moved.version }));
  await ok(desk.command(moved.id, 'cancel', { reason: 'Ada Lovelace is ill' }));
  await ok(desk.command(moved.id, 'reinstate'));
  const absent = await desk.book(0, 1);
  await ok(desk.command(absent.id, 'no-show'));
  const stay = await desk.book(0, 3);
  const { version } = await ok(desk.command(stay.id, 'check-in', { roomNumber: '214' }));
  await ok(desk.command(stay.id, 'departure', { departure: desk.day(1) }, { ifMatch: version }));
  await desk.endDay();
  await ok(desk.command(stay.id, 'check-out'));
  await until('the sweep', async () => (await desk.read(late.id)).status === 'EXPIRED');
}

describe('the events of every command that there is', () => {
  let log: Record[];

  beforeAll(async () => {
    await everything();
    log = await wholeLog();
  });

  it('are of every type in the registry, and of no other', () => {
    expect([...new Set(log.map(({ value }) => value.type as string))].sort()).toEqual(
      [...EVENT_TYPES.keys()].sort(),
    );
  });

  it('hold to the committed schemas, with nothing beside what these name, and so do their headers', async () => {
    const headers = document('tartware.json').components.schemas.headers;
    const faults = log.flatMap(({ value, headers: given }) => {
      const name = `${value.type}.v${value.version}`;
      const schema = (): Json => document(`schemas/${name}.json`);
      return [
        ...faultsOf(name, schema, value),
        ...faultsOf('headers', () => headers, given),
        ...(given['ce_dataschema'] === schema().$id ? [] : [{ name, dataschema: given['ce_dataschema'] }]),
      ];
    });
    expect(faults).toEqual([]);
    const [stored] = await ask<{ n: number }>(url, `SELECT count(*)::int AS n FROM outbox_events`);
    expect(log).toHaveLength(stored!.n);
    // Not only by chance: a member too many, or one of another type, is a fault.
    const { value } = log[0]!;
    const known = `${value.type}.v${value.version}`;
    for (const wrong of [
      { ...value, data: { ...value.data, x: 1 } },
      { ...value, tenantId: 7 },
    ])
      expect(faultsOf(known, () => document(`schemas/${known}.json`), wrong)).not.toEqual([]);
  });

  it('carry CloudEvents attributes that say the same as the event', () => {
    for (const { key, value, headers } of log)
      expect(headers).toMatchObject({
        ce_id: value.eventId,
        ce_type: value.type,
        ce_time: value.occurredAt,
        ce_subject: value.aggregateId,
        ce_partitionkey: key,
        ce_tenantid: value.tenantId,
        ce_correlationid: value.correlationId,
      });
  });

  it('name no guest', () => {
    const text = JSON.stringify(log);
    for (const word of ['Guest-ALL', 'Ana', 'ana@', 'Rua', 'Lovelace']) expect(text).not.toContain(word);
  });
});

describe('one trace', () => {
  const TRACE = '0af7651916cd43dd8448eb211c80319c';
  const parent = `00-${TRACE}-b7ad6b7169203331-01`;
  const ours = expect.stringMatching(new RegExp(`^00-${TRACE}-(?!b7ad6b7169203331)[0-9a-f]{16}-01$`));

  it('goes from the header of the request through outbox, record, relay and consumer, and back in the answer', async () => {
    const desk = await openHouse(manager, 'TRACE', 2);
    const answer = await manager.post('/v1/reservations', desk.stay(0, 1), {
      headers: { traceparent: parent },
    });
    expect([answer.status, answer.headers.get('traceparent')]).toEqual([201, ours]);
    const id = answer.body.data.id as string;
    const correlationId = answer.body.data.correlationId as string;
    const [stored] = await ask<{ traceparent: string }>(
      url,
      `SELECT traceparent FROM outbox_events WHERE aggregate_id = $1`,
      [id],
    );
    expect(stored!.traceparent).toBe(answer.headers.get('traceparent'));
    await until('the effect', async () => {
      const [row] = await ask(url, `SELECT 1 FROM event_inbox WHERE aggregate_id = $1`, [id]);
      return row;
    });
    const record = (await wholeLog()).find(({ key }) => key === id)!;
    expect(record.headers['traceparent']).toBe(stored!.traceparent);
    const lines = (): Json[] =>
      service.stdout
        .split('\n')
        .filter((line) => line.includes(TRACE))
        .map((line) => JSON.parse(line));
    const told = await until('three lines', async () => lines().length >= 3 && lines());
    expect(told.map(({ msg }) => msg).sort()).toEqual(['event applied', 'event published', 'request']);
    for (const line of told) expect(line).toMatchObject({ level: 'debug', traceId: TRACE, correlationId });
    const { tenantId } = record.value;
    for (const line of told) expect(line.tenantId).toBe(tenantId);
  });
});

describe('a command whose event would be too large for the topic', () => {
  it('is answered with 413 and changes nothing', async () => {
    const desk = await openHouse(manager, 'LARGE', 1);
    const priceOverride = { amountMinor: 100_000_000_000, reason: 'test' };
    const stay = await desk.book(0, 360, { priceOverride });
    // Twice as many prices: those of before have to be taken back.
    const answer = await manager.patch(
      `/v1/reservations/${stay.id}`,
      { priceOverride },
      { ifMatch: stay.version },
    );
    expect([answer.status, answer.body.error]).toMatchObject([
      413,
      { code: 'EVENT_TOO_LARGE', category: 'VALIDATION', details: { most: 7_952 } },
    ]);
    expect((await desk.read(stay.id)).version).toBe(stay.version);
  });
});
