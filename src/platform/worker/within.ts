/** It took too long, and goes on without anybody waiting for it: what became of it is unknown. */
export class LateError extends Error {
  override readonly name = 'LateError';
}

/**
 * The outcome of `work`, unless it takes longer than `ms`. On a half-open connection a call waits for an answer that never
 * comes: whoever has to move on does so, on another connection. What was given up ends by itself; its outcome is dropped.
 * @throws LateError naming `what`, after `ms`
 */
export async function within<T>(ms: number, what: string, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LateError(`${what} took longer than ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}
