/** The SQLSTATE of an error of PostgreSQL's, or a socket's code (`ECONNREFUSED`), or undefined. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** The constraint that a failed statement violated. */
export function violatedConstraint(error: unknown): string | undefined {
  const constraint = (error as { constraint?: unknown } | null)?.constraint;
  return typeof constraint === 'string' ? constraint : undefined;
}

/** Serialization failure and deadlock: the transaction did nothing and may run again, whole. */
export const isRetryable = (error: unknown): boolean => ['40001', '40P01'].includes(sqlState(error) ?? '');

/** Unique, check, foreign key, exclusion: the data contradict an invariant. */
export const isConstraintViolation = (error: unknown): boolean => sqlState(error)?.startsWith('23') ?? false;

/** A statement without an answer in time: node-pg's own words, it gives them no code. The connection may be half open. */
export const isSilence = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith('Query read timeout');

const SOCKET = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'EAI_AGAIN',
]);

/**
 * The database can't serve now: class 08 (connection), 53 (resources), 57 (operator intervention, cancelled),
 * 25006 (read-only), 25P03 (a transaction of ours was ended for its silence), a socket's error, or node-pg's own words for a connection that ended (it gives those no code).
 */
export function isUnavailable(error: unknown): boolean {
  const code = sqlState(error);
  if (code) return SOCKET.has(code) || /^(08|53|57)/.test(code) || code === '25006' || code === '25P03';
  const message = error instanceof Error ? error.message : '';
  return (
    isSilence(error) ||
    /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/.test(
      message,
    )
  );
}
