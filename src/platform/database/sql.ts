/** One named statement. The name is unique, appears in errors and metrics, and is the prepared statement's. */
export interface Sql {
  readonly name: string;
  readonly text: string;
}

/** Names a statement. `name` is `<module>.<verb>`, at most 63 bytes (PostgreSQL cuts prepared names there). */
export function sql(name: string, text: string): Sql {
  if (name.length > 63) throw new RangeError(`statement name too long: ${name}`);
  return { name, text };
}
