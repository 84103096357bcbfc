import type { Changes } from '../../outbox/contract/append-changes.js';

/** What a guest's record holds of a person. */
export interface GuestDetails {
  readonly firstName?: string | null;
  readonly lastName?: string;
  readonly email?: string | null;
  readonly phone?: string | null;
  readonly address?: string | null;
  /** ISO 3166-1 alpha-2. */
  readonly country?: string | null;
}

/** Audit tells that a field changed and not what it was: the log is for ever, a guest's data is not. */
export const changedFields = (fields: readonly string[]): Changes =>
  Object.fromEntries(fields.map((field) => [field, 'changed']));
