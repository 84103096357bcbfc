/** The seven categories of the error taxonomy (requirements 003) and 503's own; the HTTP status follows from them in `http/error-filter.ts`. */
export type ErrorCategory =
  'VALIDATION' | 'AUTHN' | 'AUTHZ' | 'NOT_FOUND' | 'CONFLICT' | 'RATE_LIMIT' | 'INTERNAL' | 'UNAVAILABLE';

/** One field at fault: `path` in dotted notation from the body's root (`stay.arrival`), `code` one per cause. */
export interface FieldError {
  path: string;
  code: string;
  message: string;
}

/**
 * A refusal that the caller can act on. Nothing was written when it reaches the edge.
 * `code` is specific and stable (`NO_AVAILABILITY`), `category` decides the status, `details` never hold personal data.
 */
export class DomainError extends Error {
  override readonly name = 'DomainError';

  constructor(
    readonly code: string,
    readonly category: ErrorCategory,
    message: string,
    readonly details?: Record<string, unknown> | readonly FieldError[],
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** 400: the request can't be right, whatever the state of the house. */
export const invalid = (code: string, path: string, message: string): DomainError =>
  new DomainError(code, 'VALIDATION', message, [{ path, code, message }]);

/** 404, the same for an unknown id and for another tenant's. */
export const notFound = (what: string): DomainError =>
  new DomainError(`${what.toUpperCase().replaceAll(' ', '_')}_NOT_FOUND`, 'NOT_FOUND', `No such ${what}.`);

/** 409: right in itself, but not in the present state. */
export const conflict = (code: string, message: string, details?: Record<string, unknown>): DomainError =>
  new DomainError(code, 'CONFLICT', message, details);
