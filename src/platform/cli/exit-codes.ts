import { ConfigError } from '../config/config.js';
import { EmbeddedError } from '../database/embedded/embedded-error.js';
import { isUnavailable, sqlState } from '../database/sqlstate.js';
import { LogUnavailableError } from '../event-log/event-log.js';
import { DomainError } from '../kernel/errors.js';

/** What the exit code of a command means; `docs/cli.md` repeats this. */
export const EXIT = {
  ok: 0,
  /** A fault of ours, or one that nobody foresaw. */
  failed: 1,
  /** Unknown command, option or value. */
  usage: 2,
  /** The house refuses: right in itself, but not in the present state, or not a possible request. */
  refused: 3,
  /** No such tenant, property, reservation or file. */
  notFound: 4,
  /** Database, embedded PostgreSQL or broker can't be reached. Try again. */
  unavailable: 5,
  /** An input file is broken; nothing of it was imported. */
  brokenInput: 6,
  /** The environment is wrong (EX_CONFIG). */
  config: 78,
} as const;

/** An end that says itself how it is to be told. */
export class CliError extends Error {
  override readonly name = 'CliError';

  constructor(
    message: string,
    readonly exitCode: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What the file system says of a path that is no file for us. */
const NO_SUCH_FILE = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES']);

/** The exit code and the words for an error. Never a stack. */
export function endOf(error: unknown): { code: number; message: string } {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof CliError) return { code: error.exitCode, message };
  if (error instanceof ConfigError) return { code: EXIT.config, message };
  if (error instanceof DomainError) {
    const code = error.category === 'NOT_FOUND' ? EXIT.notFound : EXIT.refused;
    return { code, message: `${error.code}: ${message}` };
  }
  if (error instanceof EmbeddedError || error instanceof LogUnavailableError || isUnavailable(error))
    return { code: EXIT.unavailable, message };
  if (sqlState(error) === '42P01')
    return { code: EXIT.unavailable, message: 'the database has no schema yet: run `tartware migrate`' };
  if (NO_SUCH_FILE.has(sqlState(error) ?? '')) return { code: EXIT.notFound, message };
  return { code: EXIT.failed, message };
}
