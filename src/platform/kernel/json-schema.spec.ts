import { describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import {
  CODE,
  compileSchema,
  CURRENCY,
  DATE,
  FLAG,
  ID,
  label,
  list,
  nullable,
  object,
  oneOf,
  whole,
  type JsonSchema,
} from './json-schema.js';

const NAMES = ['a', 'b', 'toString'] as const;
const leaves = fc.constantFrom<JsonSchema>(
  ...[ID, DATE, CODE, CURRENCY, FLAG, whole(-2, 3), label(3), oneOf('x', 'y'), nullable(DATE)],
  ...[nullable(oneOf('x')), nullable(whole(0, 1))],
);
const schemas = fc.letrec<{ schema: JsonSchema }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaves,
    fc.tuple(tie('schema'), fc.nat(3)).map(([items, most]) => list(items, most)),
    tie('schema').map((schema) => nullable(schema)),
    fc.tuple(tie('schema'), tie('schema'), fc.subarray([...NAMES])).map(([a, b, required]): JsonSchema => ({
      type: 'object',
      required,
      properties: { a, b, toString: FLAG as never },
    })),
  ),
})).schema;
const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<unknown>(
      null,
      true,
      0,
      1,
      1.5,
      -3,
      4,
      'x',
      'y',
      '',
      'EUR',
      'BAR',
      'abcd',
      '😀😀😀',
      '😀😀😀😀',
    ),
    fc.constantFrom<unknown>(
      '2027-02-28',
      '2027-02-29',
      '1899-01-01',
      '0190a1b2-0000-7000-8000-00000000c0de',
    ),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.record(
      { a: tie('value'), b: tie('value'), toString: tie('value'), c: tie('value') },
      { requiredKeys: [] },
    ),
  ),
})).value;

/** As JSON carries it: own members only, none undefined. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;

describe('a compiled schema', () => {
  it('takes and refuses what a validator of the standard does', () => {
    const ajv = new Ajv2020({ strict: false, ownProperties: true });
    addFormats.default(ajv);
    let [taken, refused] = [0, 0];
    fc.assert(
      fc.property(schemas, fc.array(values, { minLength: 1, maxLength: 20 }), (schema, list) => {
        const check = compileSchema(schema);
        const standard = ajv.compile(schema);
        for (const value of list.map(asJson)) {
          const holds = standard(value);
          expect([schema, value, check(value) === null]).toEqual([schema, value, holds]);
          if (holds) taken++;
          else refused++;
        }
      }),
      { numRuns: 200 },
    );
    // Else the two would agree about nothing.
    expect(Math.min(taken, refused)).toBeGreaterThan(20);
  });

  it('names the place and never the value', () => {
    const check = compileSchema(
      object<{ stays: unknown[] }>({ stays: list(object<{ at: string }>({ at: DATE }), 9) }),
    );
    expect(check({ stays: [{ at: '2027-01-01' }, { at: 'Ada Lovelace' }] })).toBe('.stays.1.at is no date');
    expect(check({ stays: [{}] })).toBe('.stays.0.at is missing');
    expect(check([])).toBe(' is no object');
  });

  it('passes over members that it does not know', () => {
    expect(compileSchema(object<{ id: string }>({ id: CURRENCY }))({ id: 'EUR', later: 1 })).toBeNull();
  });

  it('is not made of a keyword that it would not check, or of a required member without a schema', () => {
    expect(() => compileSchema({ type: 'string', minLength: 1 } as JsonSchema)).toThrow('minLength');
    expect(() => compileSchema({ type: 'string', constructor: 1 } as unknown as JsonSchema)).toThrow(
      'constructor',
    );
    expect(() => compileSchema({ type: 'object', required: ['a'] })).toThrow('a');
  });
});
