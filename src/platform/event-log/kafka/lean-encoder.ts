import { createRequire } from 'node:module';

/** kafkajs's own class, as far as we know it. */
interface Encoder {
  buf: Buffer;
  offset: number;
  ensureAvailable(length: number): void;
  writeUVarInt(value: number): Encoder;
}
interface EncoderClass {
  readonly prototype: Encoder;
  nextPowerOfTwo(value: number): number;
}

const ENCODER = createRequire(import.meta.url)('kafkajs/src/protocol/encoder') as EncoderClass;
const plain = {
  statics: pick(ENCODER, 'nextPowerOfTwo'),
  methods: pick(ENCODER.prototype, 'ensureAvailable', 'writeUVarInt'),
};
/** What an encoder asks for unless told. */
const ASKED = 511;
/** Enough for most headers. */
const FIRST = 64;
/** Most bytes of a varint of 32 bits. */
const VARINT = 5;

/**
 * kafkajs makes an encoder for each header of each record, with 512 zeroed bytes, and a buffer for each number in it: for a record
 * with a dozen headers that takes longer than all that we do for it. From here on they begin with nothing and grow out of
 * Node's pool; what they write is the same, byte by byte, and no byte leaves them that was not written.
 */
export function leanEncoder(): void {
  ENCODER.nextPowerOfTwo = (value) => (value === ASKED ? 0 : plain.statics.nextPowerOfTwo(value));
  ENCODER.prototype.ensureAvailable = function (this: Encoder, length: number) {
    const wanted = this.offset + length;
    if (wanted <= this.buf.length) return;
    const grown = Buffer.allocUnsafe(Math.max(FIRST, plain.statics.nextPowerOfTwo(wanted)));
    this.buf.copy(grown, 0, 0, this.offset);
    this.buf = grown;
  };
  ENCODER.prototype.writeUVarInt = function (this: Encoder, value: number) {
    this.ensureAvailable(VARINT);
    let left = value >>> 0;
    for (; left > 0x7f; left >>>= 7) this.buf[this.offset++] = (left & 0x7f) | 0x80;
    this.buf[this.offset++] = left;
    return this;
  };
}

/** kafkajs as it comes, for comparisons. */
export function plainEncoder(): void {
  Object.assign(ENCODER, plain.statics);
  Object.assign(ENCODER.prototype, plain.methods);
}

function pick<T extends object, K extends keyof T>(from: T, ...names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(names.map((name) => [name, from[name]])) as Pick<T, K>;
}
