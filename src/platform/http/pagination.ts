import { invalid } from '../kernel/errors.js';
import { isIsoDate } from '../kernel/dates.js';
import { isUuid } from '../kernel/ids.js';
import { IntField, TextField } from './fields.js';
import { isCleanText } from './input-guard.js';

export const DEFAULT_LIMIT = 50;
export const MAX_LIMIT = 200;

/** The query of every list; extend it with the list's own filters. */
export class PageQuery {
  /** Items a page, 1 to 200. */
  @IntField({ min: 1, max: MAX_LIMIT, optional: true, query: true, example: DEFAULT_LIMIT })
  limit: number = DEFAULT_LIMIT;

  /** `pagination.nextCursor` of the page before. */
  @TextField({
    max: 2_000,
    optional: true,
    pattern: /^[\w-]+$/,
    code: 'CURSOR_INVALID',
    hint: 'No such cursor.',
  })
  cursor?: string;
}

/** One page of a list, as it is answered. */
export interface Page<T> {
  readonly data: readonly T[];
  readonly pagination: { readonly limit: number; readonly nextCursor: string | null };
}

/** What a part of a cursor must be, before it reaches SQL. */
export type CursorPart = 'id' | 'date' | 'text';

const SOUND: Record<CursorPart, (value: string) => boolean> = {
  id: isUuid,
  date: isIsoDate,
  text: (value) => value.length <= 500 && isCleanText(value),
};

/** The place after an item, in the list's order. Opaque to callers; it must hold nothing about a person but an id. */
export const encodeCursor = (parts: readonly string[]): string =>
  Buffer.from(JSON.stringify(parts)).toString('base64url');

/**
 * The parts of a cursor, each of its kind; null for the first page.
 * @throws DomainError CURSOR_INVALID (400)
 */
export function decodeCursor(cursor: string | undefined, kinds: readonly CursorPart[]): string[] | null {
  if (cursor === undefined) return null;
  const parts = read(cursor);
  if (
    !Array.isArray(parts) ||
    parts.length !== kinds.length ||
    !kinds.every((kind, i) => typeof parts[i] === 'string' && SOUND[kind](parts[i]))
  )
    throw invalid('CURSOR_INVALID', 'cursor', 'No such cursor.');
  return parts as string[];
}

function read(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
}

/**
 * Makes a page of `limit + 1` rows: the one too many tells that there are more.
 * @param partsOf the cursor's parts of a row
 */
export function pageOf<R, T>(
  rows: readonly R[],
  limit: number,
  partsOf: (row: R) => readonly string[],
  view: (row: R) => T,
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1) : undefined;
  return {
    data: shown.map(view),
    pagination: { limit, nextCursor: last === undefined ? null : encodeCursor(partsOf(last)) },
  };
}
