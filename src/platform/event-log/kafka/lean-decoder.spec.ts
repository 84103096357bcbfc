import { createRequire } from 'node:module';
import { afterAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { KafkaMessage } from 'kafkajs';
import { toReadRecord } from './kafka-partition.js';
import { leanDecoder, plainDecoder } from './lean-decoder.js';

const require = createRequire(import.meta.url);
const Decoder = require('kafkajs/src/protocol/decoder') as new (buffer: Buffer) => object;
const encode = require('kafkajs/src/protocol/recordBatch/record/v0') as (message: object) => {
  readonly buffer: Buffer;
};
const decode = require('kafkajs/src/protocol/recordBatch/record/v0/decoder') as (
  decoder: object,
  context: object,
) => KafkaMessage;

const CONTEXT = { firstOffset: '7', firstTimestamp: '1000' };

/** A record as it is read, by whichever decoder is there now. */
function read(message: object): KafkaMessage {
  const { buffer } = encode(message);
  // Behind its own length, which the batch's decoder takes.
  return decode(new Decoder(buffer.subarray(buffer.findIndex((byte) => byte < 0x80) + 1)), CONTEXT);
}

/** kafkajs's headers as a `ReadRecord` has them: of several of one name the last, as text. */
const asText = ({ headers = {} }: KafkaMessage): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, values]) => [name, String([values].flat().at(-1))]));

const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((all) => Buffer.from(all));
const value = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 200 }), bytes(200));
const message = fc.record({
  offsetDelta: fc.nat(),
  timestampDelta: fc.nat(),
  key: fc.option(bytes(50)),
  value: fc.option(bytes(2_000)),
  // Names of an object's own methods are another matter: see below.
  headers: fc.dictionary(
    fc.string({ maxLength: 40 }).filter((name) => !(name in {})),
    fc.oneof(value, fc.array(value, { maxLength: 3 })),
    { maxKeys: 15 },
  ),
});

describe('lean decoding', () => {
  afterAll(plainDecoder);

  it('gives the records that kafkajs gives, whatever they hold', () => {
    fc.assert(
      fc.property(message, (written) => {
        plainDecoder();
        const plain = read(written);
        leanDecoder();
        expect({ ...read(written), headers: null }).toEqual({ ...plain, headers: null });
        expect(toReadRecord(3, read(written)).headers).toEqual(asText(plain));
      }),
    );
  });

  it.each(['toString', '__proto__', 'constructor'])(
    'reads a header that is called %s as any other',
    (name) => {
      leanDecoder();
      const headers = JSON.parse(`{"${name}": "text"}`) as object;
      expect(Object.entries(read({ key: null, value: null, headers }).headers!)).toEqual([[name, 'text']]);
    },
  );

  it('leaves a record of a format without headers with none', () => {
    const { headers, ...old } = read({ key: null, value: null, headers: {} });
    expect([headers, toReadRecord(3, old as KafkaMessage).headers]).toEqual([{}, {}]);
  });

  it('reads a header without a value as none', () => {
    leanDecoder();
    // One header, its name of one byte, its value null: -1 in zigzag.
    const body = Buffer.from([0, 0, 0, 1, 1, 2, 2, 'h'.charCodeAt(0), 1]);
    expect(toReadRecord(3, decode(new Decoder(body), CONTEXT)).headers).toEqual({});
  });
});
