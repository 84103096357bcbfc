import { isUnavailable, sqlState, violatedConstraint } from '../../../platform/database/sqlstate.js';
import { LogUnavailableError } from '../../../platform/event-log/event-log.js';
import { DomainError } from '../../../platform/kernel/errors.js';
import type { BadRecord, GoodRecord } from '../domain/decode.js';
import { storable } from '../domain/storable.js';
import { FencedError } from '../persistence/fenced-error.js';

/**
 * What an error says of the event that was being applied. `infrastructure`: nothing, and the partition waits.
 * `suspect`: nothing by itself; the event is to blame only if others of its kind go through meanwhile.
 * `permanent`: it can never be applied. `unclear`: perhaps the next try succeeds.
 */
export type FailureKind = 'infrastructure' | 'suspect' | 'permanent' | 'unclear';

/**
 * Serialization, wrong schema or rights, wrong state, system and internal errors, and the statement that took too long: the
 * database's fault as a rule, which every event meets; but one event may be what brings it about.
 */
const SUSPECT = /^(40|42|55|58|XX|57014)/;
/** Data exceptions, integrity, program limits: the same data will meet them again. */
const THE_EVENT = /^(22|23|54)/;

/** Decides by type, code and SQLSTATE; never by an error's words. */
export function kindOf(error: unknown): FailureKind {
  if (error instanceof FencedError) return 'infrastructure';
  if (error instanceof DomainError) return error.category === 'UNAVAILABLE' ? 'infrastructure' : 'permanent';
  const state = isPostgres(error) ? sqlState(error)! : '';
  if (SUSPECT.test(state)) return 'suspect';
  if (error instanceof LogUnavailableError || isUnavailable(error)) return 'infrastructure';
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

/** The record of an event that was tried and given up. */
export const buried = (good: GoodRecord, error: unknown, retryCount: number): BadRecord => ({
  kind: 'bad',
  record: good.record,
  identity: good.event,
  replayOf: good.replayOf,
  retryCount,
  ...describeFailure(error),
});

const isPostgres = (error: unknown): boolean =>
  /^[0-9A-Z]{5}$/.test(sqlState(error) ?? '') && !sqlState(error)!.startsWith('E');
