import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { incompatibilities } from '../../src/entrypoints/asyncapi/compatibility.js';
import { EVENT_TYPES } from '../../src/modules/outbox/contract/event-types.js';
import {
  DATE,
  ID,
  label,
  nullable,
  object,
  whole,
  type JsonSchema,
} from '../../src/platform/kernel/json-schema.js';
import { textOf } from './golden-file.js';

const ROOT = join(import.meta.dirname, '../..');
const FOLDER = 'docs/asyncapi';

/** Text that somebody chose for a thing, or that a partner calls it by. A new entry needs a reason: a person's data is none. */
const LABELS = [
  ...['property', 'rate_plan', 'room_type', 'tenant'].map((aggregate) => `${aggregate}.name`),
  'reservation.externalId',
  'reservation.roomNumber',
];

interface Schema extends JsonSchema {
  readonly $id: string;
}
const schemaFiles = (folder: string): string[] => readdirSync(join(folder, 'schemas')).sort();
const committed = (): [string, Schema][] =>
  schemaFiles(join(ROOT, FOLDER)).map((file) => [
    file,
    JSON.parse(textOf(`${FOLDER}/schemas/${file}`)) as Schema,
  ]);

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
const scratch = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'tartware-asyncapi-'));
  folders.push(folder);
  return folder;
};

/** `npm run export:events` into a folder. */
function exported(folder: string): { status: number | null; stderr: string } {
  const program = [
    '--import',
    join(ROOT, 'test/support/ts-hooks.mjs'),
    join(ROOT, 'src/export-events.ts'),
    folder,
  ];
  const env = { PATH: process.env['PATH'], KAFKA_BROKERS: 'no broker' };
  return spawnSync(process.execPath, program, { cwd: folder, env, encoding: 'utf8' });
}

/** Every path to a schema in one, with it. */
function* within(schema: JsonSchema, path: string): Generator<[string, JsonSchema]> {
  yield [path, schema];
  if (schema.items) yield* within(schema.items, path);
  for (const [name, member] of Object.entries(schema.properties ?? {}))
    yield* within(member, `${path}.${name}`);
}

describe('docs/asyncapi', () => {
  test('is what the registry of events says now (when it is meant: npm run export:events)', () => {
    const folder = scratch();
    expect(exported(folder)).toMatchObject({ status: 0, stderr: '' });
    expect(schemaFiles(join(ROOT, FOLDER))).toEqual(schemaFiles(folder));
    for (const file of ['tartware.json', ...schemaFiles(folder).map((name) => `schemas/${name}`)])
      expect([file, readFileSync(join(folder, file), 'utf8')]).toEqual([file, textOf(`${FOLDER}/${file}`)]);
  });

  test('is AsyncAPI 3.0, and every reference leads somewhere', () => {
    const text = textOf(`${FOLDER}/tartware.json`);
    const document = JSON.parse(text) as object;
    const standard = createRequire(import.meta.url)(
      '@asyncapi/specs/schemas/3.0.0-without-$id.json',
    ) as object;
    const ajv = new Ajv({ strict: false });
    addFormats.default(ajv);
    const validate = ajv.compile(standard);
    validate(document);
    expect(validate.errors).toBeNull();
    expect(validate({ ...document, channels: { x: { address: 1 } } })).toBe(false);
    for (const [, ref] of text.matchAll(/"\$ref": "([^"]+)"/g))
      expect(resolved(document, ref!)).toBeDefined();
  });

  const resolved = (document: object, ref: string): unknown =>
    ref.startsWith('#/')
      ? ref
          .slice(2)
          .split('/')
          .reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], document)
      : JSON.parse(textOf(join(FOLDER, ref)));

  test('has a schema of draft 2020-12, with an id of its own, for each version of each type', () => {
    const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
    addFormats.default(ajv);
    for (const [, schema] of committed()) ajv.compile(schema);
    const ids = [...EVENT_TYPES].flatMap(([type, { versions }]) =>
      Object.keys(versions).map((version) => `urn:tartware:event:${type}:${version}`),
    );
    expect(
      committed()
        .map(([, { $id }]) => $id)
        .sort(),
    ).toEqual(ids.sort());
  });

  test("has no place for free text, where a person's name or address could end up", () => {
    const open = committed().flatMap(([, schema]) => {
      const { type, data } = schema.properties!;
      const aggregate = String(type!.enum![0]).split('.')[0]!;
      return [...within(data!, aggregate)]
        .filter(([, { type: is, pattern, enum: values }]) => {
          const kinds = [is].flat();
          // Text of no form; or a list or an object whose inside nobody describes.
          return kinds.includes('string') && !pattern && !values;
        })
        .map(([path]) => path);
    });
    expect([...new Set(open)].sort()).toEqual([...LABELS].sort());
    const undescribed = committed().flatMap(([file, schema]) =>
      [...within(schema, file)]
        .filter(([, { type, properties, items }]) => {
          const kinds = [type].flat();
          return (kinds.includes('object') && !properties) || (kinds.includes('array') && !items);
        })
        .map(([path]) => path),
    );
    expect(undescribed).toEqual([]);
  });
});

describe('a version of an event', () => {
  const released = object<{ id: string; to: string | null; nights: object }>({
    id: ID,
    to: nullable(DATE),
    nights: { type: 'array', maxItems: 9, items: object<{ rooms: number }>({ rooms: whole(0, 9) }) },
  });
  const properties = released.properties!;
  const withNights = (items: JsonSchema): JsonSchema => ({
    ...released,
    properties: { ...properties, nights: { ...properties['nights']!, items } },
  });
  const night = properties['nights']!.items!;

  test.each<[string, JsonSchema]>([
    ['a new member that may be missing', { ...released, properties: { ...properties, later: ID } }],
    ['the same within a list', withNights({ ...night, properties: { ...night.properties, later: ID } })],
    ['other words', { ...released, description: 'Told better.', title: 'x' }],
  ])('stays what it is with %s', (_, now) => {
    expect(incompatibilities(released, now)).toEqual([]);
  });

  test.each<[string, JsonSchema]>([
    ['a member removed', { ...released, properties: { id: ID, nights: properties['nights']! } }],
    ['a member of another type', { ...released, properties: { ...properties, id: whole(0, 9) } }],
    ['a member that may be null now', { ...released, properties: { ...properties, id: nullable(ID) } }],
    ['a wider range', withNights({ ...night, properties: { rooms: whole(0, 10) } })],
    ['a form dropped', { ...released, properties: { ...properties, id: label(36) } }],
    ['a member that may be missing now', { ...released, required: ['id', 'to'] }],
    [
      'a new member that is required',
      {
        ...released,
        required: [...released.required!, 'later'],
        properties: { ...properties, later: ID },
      },
    ],
    [
      'the items of a list undescribed',
      { ...released, properties: { ...properties, nights: { type: 'array', maxItems: 9 } } },
    ],
  ])('is another one with %s', (_, now) => {
    expect(incompatibilities(released, now)).not.toEqual([]);
  });

  test('is never overwritten by another: the export refuses and writes nothing', () => {
    const folder = scratch();
    cpSync(join(ROOT, FOLDER), folder, { recursive: true });
    const file = join(folder, 'schemas/guest.changed.v1.json');
    const schema = JSON.parse(readFileSync(file, 'utf8')) as Schema;
    const data = schema.properties!['data']!;
    const before = JSON.stringify({
      ...schema,
      properties: { ...schema.properties, data: { ...data, properties: { ...data.properties, gone: ID } } },
    });
    writeFileSync(file, before);
    writeFileSync(join(folder, 'tartware.json'), 'as it was');
    const { status, stderr } = exported(folder);
    expect(status).toBe(3);
    expect(stderr).toBe(
      'guest.changed.v1: the value.data.gone was removed\nThis needs the next version of the type.\n',
    );
    expect(readFileSync(file, 'utf8')).toBe(before);
    expect(readFileSync(join(folder, 'tartware.json'), 'utf8')).toBe('as it was');
  });
});
