/** What a read found: its version, and the data; null when that is the version that the reader has. */
export interface Versioned<T> {
  readonly version: string;
  readonly data: T | null;
}
