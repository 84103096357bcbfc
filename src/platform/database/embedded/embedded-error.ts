/** The embedded PostgreSQL can't be made, started or joined; the message says what to do about it and is fit for an operator. */
export class EmbeddedError extends Error {
  override readonly name = 'EmbeddedError';
}
