/** Somebody else has claimed the partition since: nothing was written. */
export class FencedError extends Error {
  override readonly name = 'FencedError';
}
