import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import type { ReadRecord } from '../../../platform/event-log/event-log.js';
import { Decoder } from './decoder.js';

const records = (count: number): ReadRecord[] =>
  Array.from({ length: count }, (_, i) => ({
    ...{
      partition: 0,
      offset: BigInt(i),
      key: null,
      value: Buffer.from('no JSON'),
      headers: {},
      timestamp: 0,
    },
  }));

describe('a record that follows', () => {
  it('is decoded before its turn, and once', async () => {
    const decoder = new Decoder();
    const all = records(120);
    decoder.prepare(all);
    // So many in one turn of the event loop that the rest waits for two more.
    for (let turns = 0; turns < 3; turns++) await turn();
    for (const record of all) expect(decoder.decode(record)).toBe(decoder.decode(record));
  });

  it('is decoded in its turn when that comes sooner, and no differently', async () => {
    const [record, other] = records(2);
    const decoder = new Decoder();
    decoder.prepare([record!]);
    const early = decoder.decode(record!);
    await turn();
    expect(decoder.decode(record!)).toEqual(early);
    expect(decoder.decode(other!)).toMatchObject({ kind: 'bad', code: 'NOT_JSON', record: other });
  });
});
