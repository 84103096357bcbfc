import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import { arrayLiteral } from '../../src/platform/database/array-literal.js';
import { newId } from '../../src/platform/kernel/ids.js';
import { testServer } from '../support/server.js';

describe('a list as PostgreSQL reads it', () => {
  let client: pg.Client;

  beforeAll(async () => {
    client = new pg.Client({ connectionString: testServer().superUrl });
    await client.connect();
  });
  afterAll(() => client.end());

  const readBack = async (type: string, values: readonly unknown[]): Promise<unknown> => {
    const { rows } = await client.query<{ list: unknown }>(`SELECT array_to_json($1::${type}[]) AS list`, [
      arrayLiteral(values),
    ]);
    return rows[0]!.list;
  };

  // PostgreSQL has no text with the character 0; half a surrogate pair is no character at all.
  const text = fc
    .oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('null', 'NULL', '', ' ', '{}', 'a,b', '"', '\\', '+1:2.3-4'),
    )
    .filter((one) => !one.includes('\0') && one.isWellFormed());

  it.each<[string, fc.Arbitrary<unknown>]>([
    ['text', text],
    ['int', fc.integer()],
    ['bigint', fc.maxSafeInteger()],
    ['float8', fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (n === 0 ? 0 : n))],
    ['boolean', fc.boolean()],
    ['uuid', fc.constant(null).map(() => newId())],
    ['date', fc.constantFrom('2027-02-28', '2028-02-29')],
  ])('of %s is what was written, with its nulls', (type, one) =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.option(one)), async (values) => {
        expect(await readBack(type, values)).toEqual(values);
      }),
    ),
  );

  it.each([
    ['a list', [[1], [2]]],
    ['bytes', [Buffer.from('x')]],
    ['a time', [new Date(0)]],
    ['an object', [{}]],
  ])('stays as it is with %s in it', (_, values) => {
    expect(arrayLiteral(values)).toBe(values);
  });
});
