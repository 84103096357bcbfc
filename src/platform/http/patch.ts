import { DomainError } from '../kernel/errors.js';

/** What a PATCH does to a row. */
export interface Patch<T> {
  /** The fields that get another value. */
  readonly values: Partial<T>;
  /** Field → [before, after], for the audit log. */
  readonly changes: Record<string, [unknown, unknown]>;
  /** Names of the fields that get another value. */
  readonly fields: readonly string[];
}

/**
 * Compares a PATCH (RFC 7396: what is left out stays, null empties) with the row.
 * `fields` empty: it asks for what is already so, and nothing has to be written.
 * @throws DomainError PATCH_EMPTY (400) when it names no field at all
 */
export function patchOf<T extends object, K extends keyof T & string>(
  row: T,
  input: Partial<Pick<T, K>>,
  fields: readonly K[],
): Patch<Pick<T, K>> {
  const named = fields.filter((field) => input[field] !== undefined);
  if (named.length === 0) throw new DomainError('PATCH_EMPTY', 'VALIDATION', 'This changes no field.');
  const changed = named.filter((field) => input[field] !== row[field]);
  return {
    values: Object.fromEntries(changed.map((field) => [field, input[field]])) as Partial<Pick<T, K>>,
    changes: Object.fromEntries(changed.map((field) => [field, [row[field], input[field]]])),
    fields: changed,
  };
}
