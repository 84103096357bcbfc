import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import { arrayLiteral } from '../../src/platform/database/array-literal.js';
import { RowList } from '../../src/platform/database/row-list.js';
import { testServer } from '../support/server.js';

interface Row {
  readonly name: string | null;
  readonly amounts: readonly number[];
  readonly fields: Readonly<Record<string, string>>;
  readonly sound: boolean;
}

describe('rows on their way into a statement', () => {
  const list = new RowList<Row>({
    name: ['text', (row) => row.name],
    amounts: ['bigint[]', (row) => `{${row.amounts.join(',')}}`],
    fields: ['json', (row) => JSON.stringify(row.fields)],
    sound: ['boolean', (row) => row.sound],
  });
  const statement = `SELECT $1::text AS before, ${list.names}, ord FROM ${list.from(2)} l ORDER BY ord`;
  let client: pg.Client;

  beforeAll(async () => {
    client = new pg.Client({ connectionString: testServer().superUrl });
    await client.connect();
    // As the service reads them: exact up to 2^53.
    client.setTypeParser(20, Number);
    client.setTypeParser(1016 as never, (text: string) =>
      text.slice(1, -1).split(',').filter(Boolean).map(Number),
    );
  });
  afterAll(() => client.end());

  const text = fc
    .oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('null', '', '{}', '"', '\\', 'a,b'))
    .filter((one) => !one.includes('\0') && one.isWellFormed());
  const rows = fc.array(
    fc.record<Row>({
      name: fc.option(text),
      amounts: fc.array(fc.maxSafeInteger(), { maxLength: 4 }),
      fields: fc.record({ first: text, second: text }),
      sound: fc.boolean(),
    }),
  );

  it('come out as they went in, in their order, whatever stands in them', () =>
    fc.assert(
      fc.asyncProperty(rows, async (given) => {
        const values = [
          'x',
          ...list.values(given).map((value) => (Array.isArray(value) ? arrayLiteral(value) : value)),
        ];
        const { rows: read } = await client.query(statement, values);
        expect(read).toEqual(given.map((row, i) => ({ before: 'x', ...row, ord: i + 1 })));
      }),
    ));

  it('take as many parameters as it has columns, from the one it is told', () => {
    expect(list.values([]).length).toBe(list.width);
    expect(list.from(7).match(/\$\d+/g)).toEqual(['$7', '$8', '$10', '$9']);
  });
});
