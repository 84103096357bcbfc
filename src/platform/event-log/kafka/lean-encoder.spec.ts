import { createRequire } from 'node:module';
import { afterAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { leanEncoder, plainEncoder } from './lean-encoder.js';

interface Encoded {
  readonly buffer: Buffer;
}

const require = createRequire(import.meta.url);
const record = require('kafkajs/src/protocol/recordBatch/record/v0') as (message: object) => Encoded;
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch(batch: object): Promise<Encoded>;
};
const joinGroup = require('kafkajs/src/protocol/requests/joinGroup/v5/request') as (request: object) => {
  encode(): Promise<Encoded>;
};

const text = fc.string({ unit: 'grapheme', maxLength: 300 });
const message = fc.record({
  offsetDelta: fc.nat(),
  timestampDelta: fc.nat(),
  key: fc.option(fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes))),
  value: fc.option(fc.uint8Array({ maxLength: 5_000 }).map((bytes) => Buffer.from(bytes))),
  headers: fc.dictionary(text, fc.oneof(text, fc.array(text, { maxLength: 3 })), { maxKeys: 12 }),
});

describe('lean encoding', () => {
  afterAll(plainEncoder);

  it('writes the bytes that kafkajs writes, whatever the records', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 20 }), async (messages) => {
        const batch = async (): Promise<string> =>
          (
            await RecordBatch({ records: messages.map(record), firstTimestamp: 1, maxTimestamp: 2 })
          ).buffer.toString('hex');
        plainEncoder();
        const plain = await batch();
        leanEncoder();
        expect(await batch()).toBe(plain);
      }),
    );
  });

  it('writes requests alike, with strings, arrays and nothing in them', async () => {
    const request = async (): Promise<string> =>
      (
        await joinGroup({
          groupId: 'group',
          sessionTimeout: 10_000,
          rebalanceTimeout: 60_000,
          memberId: '',
          groupInstanceId: null,
          protocolType: 'consumer',
          groupProtocols: [{ name: 'x'.repeat(700), metadata: Buffer.alloc(900, 7) }],
        }).encode()
      ).buffer.toString('hex');
    plainEncoder();
    const plain = await request();
    leanEncoder();
    expect(await request()).toBe(plain);
  });

  it('is lean: a record with a dozen headers zeroes no memory', () => {
    leanEncoder();
    const alloc = Buffer.alloc;
    let zeroed = 0;
    Buffer.alloc = (size: number) => ((zeroed += size), alloc(size));
    try {
      record({ key: Buffer.from('key'), value: Buffer.from('value'), headers: { a: '1', b: '2', c: '3' } });
    } finally {
      Buffer.alloc = alloc;
    }
    expect(zeroed).toBe(0);
  });
});
