import { randomBytes } from 'node:crypto';

const BLOCK = 4096;
let block = Buffer.alloc(0);
let used = 0;

/**
 * So many random bytes, cryptographically strong, out of a block that was asked for at once: a call for each id costs more than
 * the rest of making it. Each byte is given once; 64 at most.
 */
export function freshBytes(count: number): Buffer {
  if (used + count > block.length) {
    block = randomBytes(BLOCK);
    used = 0;
  }
  return block.subarray(used, (used += count));
}
