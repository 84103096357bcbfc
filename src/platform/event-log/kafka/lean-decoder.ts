import { createRequire } from 'node:module';

/** kafkajs's own class, as far as we know it. */
interface Decoder {
  readonly buffer: Buffer;
  offset: number;
  readVarInt(): number;
  readVarIntString(): string | null;
  readVarIntArray: (this: Decoder, reader: unknown) => unknown;
}

const require = createRequire(import.meta.url);
const DECODER = (require('kafkajs/src/protocol/decoder') as { readonly prototype: Decoder }).prototype;
const HEADER: unknown = require('kafkajs/src/protocol/recordBatch/header/v0/decoder');
const plain = DECODER.readVarIntArray;

/** The headers of a record: of those of one name the last, as text. No prototype: a name may be anything. */
function readHeaders(decoder: Decoder): Record<string, string> {
  const headers = Object.create(null) as Record<string, string>;
  for (let left = decoder.readVarInt(); left > 0; left--) {
    const name = String(decoder.readVarIntString());
    const length = decoder.readVarInt();
    const end = decoder.offset + Math.max(0, length);
    if (length < 0) delete headers[name];
    else headers[name] = decoder.buffer.toString('utf8', decoder.offset, end);
    decoder.offset = end;
  }
  return headers;
}

/**
 * kafkajs copies the headers of a record once for each of them, and makes a buffer of each value: with a dozen headers that is a
 * tenth of a consumer's time. From here on they come as a `ReadRecord` has them, in one object.
 */
export function leanDecoder(): void {
  DECODER.readVarIntArray = function (reader) {
    if (reader !== HEADER) return plain.call(this, reader);
    const headers = readHeaders(this);
    // Its caller folds a list into an object.
    return { reduce: () => headers };
  };
}

/** kafkajs as it comes, for comparisons. */
export function plainDecoder(): void {
  DECODER.readVarIntArray = plain;
}
