/** Digits and letters that can't be taken for one another: no 0 1 I L O U. */
const ALPHABET = '23456789ABCDEFGHJKMNPQRSTVWXYZ';
const LENGTH = 8;
const SPACE = BigInt(ALPHABET.length) ** BigInt(LENGTH);
const HALF_BITS = 20n;
const HALF_MASK = (1n << HALF_BITS) - 1n;
const ROUND_KEYS = [0x9e3779b97f4a7c15n, 0xc2b2ae3d27d4eb4fn, 0x165667b19e3779f9n, 0x27d4eb2f165667c5n];

const round = (half: bigint, key: bigint): bigint => {
  let x = (half ^ key) & 0xffffffffffffffffn;
  x = (x * 0xff51afd7ed558ccdn) & 0xffffffffffffffffn;
  return ((x ^ (x >> 33n)) >> 7n) & HALF_MASK;
};

/** A bijection of 40 bits: a Feistel network of four rounds. */
const permute = (value: bigint): bigint => {
  let left = value >> HALF_BITS;
  let right = value & HALF_MASK;
  for (const key of ROUND_KEYS) [left, right] = [right, left ^ round(right, key)];
  return (left << HALF_BITS) | right;
};

/**
 * The confirmation number of the n-th reservation (n ≥ 1, from a database sequence): eight characters that don't tell
 * how many came before. A bijection and not a random draw: two reservations can't collide, so a batch never fails for it.
 * @throws RangeError past 30^8 reservations
 */
export function confirmationNumber(n: number): string {
  if (!Number.isSafeInteger(n) || n < 1 || BigInt(n) >= SPACE)
    throw new RangeError(`no confirmation number for ${n}`);
  let value = BigInt(n);
  // Cycle-walking: 40 bits are a little more than 30^8, so step on until the value is inside; still a bijection.
  do value = permute(value);
  while (value >= SPACE);
  let text = '';
  for (let i = 0; i < LENGTH; i++) {
    text = ALPHABET[Number(value % BigInt(ALPHABET.length))]! + text;
    value /= BigInt(ALPHABET.length);
  }
  return text;
}
