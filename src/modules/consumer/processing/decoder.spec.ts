import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import type { ReadRecord } from '../../../platform/event-log/event-log.js';
import { Decoder } from './decoder.js';

/** A record that tells when its value is read. */
function watched(offset: number): { readonly record: ReadRecord; readonly reads: () => number } {
  let reads = 0;
  const record = {
    ...{ partition: 0, offset: BigInt(offset), key: null, headers: {}, timestamp: 0 },
    get value(): Buffer {
      reads += 1;
      return Buffer.from('no JSON');
    },
  };
  return { record, reads: () => reads };
}

const all = (): ReturnType<typeof watched>[] => Array.from({ length: 120 }, (_, i) => watched(i));
/** So many records in one turn of the event loop that the rest waits for two more. */
const threeTurns = async (): Promise<void> => {
  for (let turns = 0; turns < 3; turns++) await turn();
};

describe('a record that follows', () => {
  it('is decoded before its turn, and not again in it', async () => {
    const decoder = new Decoder();
    const records = all();
    decoder.prepare(records.map(({ record }) => record));
    await threeTurns();
    const before = records.map(({ reads }) => reads());
    expect(before.every((count) => count > 0)).toBe(true);
    const decoded = records.map(({ record }) => decoder.decode(record));
    expect(records.map(({ reads }) => reads())).toEqual(before);
    expect(decoded.map(({ record }) => record.offset)).toEqual(records.map(({ record }) => record.offset));
  });

  it('whose turn comes sooner is decoded then, and not again later', async () => {
    const decoder = new Decoder();
    const records = all();
    decoder.prepare(records.map(({ record }) => record));
    for (const { record } of records) decoder.decode(record);
    const inTurn = records.map(({ reads }) => reads());
    await threeTurns();
    expect(records.map(({ reads }) => reads())).toEqual(inTurn);
  });
});
