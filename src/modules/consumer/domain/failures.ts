import { isRetryable, isUnavailable, sqlState, violatedConstraint } from '../../../platform/database/sqlstate.js';
import { LogUnavailableError } from '../../../platform/event-log/event-log.js';
import { DomainError } from '../../../platform/kernel/errors.js';

/** Why a record is in the dead letters. Besides these: `SQLSTATE_<code>` and the codes of DomainErrors. */
export type FailureCode =
  | 'NOT_JSON'
  | 'INVALID_ENVELOPE'
  | 'UNKNOWN_EVENT_TYPE'
  | 'UNKNOWN_EVENT_VERSION'
  | 'INVALID_EVENT_DATA'
  | 'TENANT_MISMATCH'
  | 'KEY_MISMATCH'
  | 'KEY_GAP'
  | 'KEY_PARKED'
  | 'PROJECTION_FAILED';

/**
 * What an error says of the event that was being applied. `infrastructure`: nothing, and the partition waits.
 * `permanent`: it can never be applied. `unclear`: perhaps the next try succeeds.
 */
export type FailureKind = 'infrastructure' | 'permanent' | 'unclear';

/** Serialization, wrong schema or rights, wrong state, system and internal errors: no event is to blame for these. */
const NOT_THE_EVENT = /^(40|42|55|58|XX)/;
/** Data exceptions, integrity, program limits: the same data will meet them again. */
const THE_EVENT = /^(22|23|54)/;

/** Somebody else has claimed the partition since: nothing was written. */
export class FencedError extends Error {
  override readonly name = 'FencedError';
}

/** Decides by type, code and SQLSTATE; never by an error's words. */
export function kindOf(error: unknown): FailureKind {
  if (error instanceof FencedError) return 'infrastructure';
  if (error instanceof LogUnavailableError || isUnavailable(error) || isRetryable(error)) return 'infrastructure';
  if (error instanceof DomainError) return error.category === 'UNAVAILABLE' ? 'infrastructure' : 'permanent';
  const state = isPostgres(error) ? sqlState(error)! : '';
  if (NOT_THE_EVENT.test(state)) return 'infrastructure';
  return THE_EVENT.test(state) ? 'permanent' : 'unclear';
}

/**
 * An error as it may be kept for ever: codes and names, and never PostgreSQL's own message or detail, which quote the row.
 */
export function describeFailure(error: unknown): { readonly code: string; readonly cause: string } {
  if (error instanceof DomainError) return { code: error.code, cause: `${error.category}: ${error.code}` };
  if (isPostgres(error)) {
    const constraint = violatedConstraint(error);
    return {
      code: `SQLSTATE_${sqlState(error)!}`,
      cause: `PostgreSQL ${sqlState(error)!}${constraint ? `, constraint ${constraint}` : ''}`,
    };
  }
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { code: 'PROJECTION_FAILED', cause: storable(text).slice(0, 300) };
}

/** Text that PostgreSQL takes: without NUL and lone surrogates. */
export const storable = (text: string): string => text.replaceAll('\0', '').toWellFormed();

const isPostgres = (error: unknown): boolean => /^[0-9A-Z]{5}$/.test(sqlState(error) ?? '') && !sqlState(error)!.startsWith('E');
