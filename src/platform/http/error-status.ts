import { HttpException } from '@nestjs/common';
import { isRetryable, isUnavailable } from '../database/sqlstate.js';
import { DomainError, type ErrorCategory } from '../kernel/errors.js';

/** HTTP status by category (requirements 003). */
const BY_CATEGORY: Readonly<Record<ErrorCategory, number>> = {
  VALIDATION: 400,
  AUTHN: 401,
  AUTHZ: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  RATE_LIMIT: 429,
  INTERNAL: 500,
  UNAVAILABLE: 503,
};

/** Codes whose status is not their category's. */
const BY_CODE: Readonly<Record<string, number>> = {
  IDEMPOTENCY_KEY_REUSED: 422,
  PRECONDITION_REQUIRED: 428,
  VERSION_STALE: 412,
  METHOD_NOT_ALLOWED: 405,
  BODY_TOO_LARGE: 413,
  EVENT_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
};

/** The one place where an error's status is decided. */
export const statusOf = (error: DomainError): number => BY_CODE[error.code] ?? BY_CATEGORY[error.category];

const refusal = (code: string, message: string): DomainError => new DomainError(code, 'VALIDATION', message);

/** Fastify's own refusals, before any route's code runs. */
const BY_FASTIFY_CODE: Readonly<Record<string, () => DomainError>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: () => refusal('BODY_TOO_LARGE', 'The body is larger than 256 KiB.'),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () =>
    refusal('UNSUPPORTED_MEDIA_TYPE', 'The body must be application/json.'),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () =>
    refusal('CONTENT_LENGTH_INVALID', 'Content-Length is not the length of the body.'),
  FST_ERR_BAD_URL: () => refusal('URL_INVALID', 'The path is not a valid URL.'),
  FST_ERR_MAX_PARAM_LENGTH: () => refusal('ID_INVALID', 'An id in the path must be a UUID in lower case.'),
};

const fastifyCode = (error: unknown): string => {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
};

export const routeNotFound = (): DomainError =>
  new DomainError('ROUTE_NOT_FOUND', 'NOT_FOUND', 'No such route.');

const unavailable = (cause: unknown, details?: Record<string, unknown>): DomainError =>
  new DomainError('UNAVAILABLE', 'UNAVAILABLE', 'It can not be served now; try again.', details, { cause });

/** Any error as one that may be answered: what the caller can't act on becomes INTERNAL, with its cause kept inside. */
export function asDomainError(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  const own =
    BY_FASTIFY_CODE[fastifyCode(error)] ?? BY_FASTIFY_CODE[fastifyCode((error as Error | null)?.cause)];
  if (own) return own();
  if (error instanceof HttpException) return fromFramework(error);
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  // A request that broke off while it was read: Fastify marks the socket's error. Asked first, since its ECONNRESET is no
  // outage of the database's.
  if (typeof status === 'number' && status >= 400 && status < 500)
    return refusal('REQUEST_INVALID', 'The request could not be read.');
  if (isUnavailable(error) || isRetryable(error)) return unavailable(error);
  return new DomainError('INTERNAL', 'INTERNAL', 'Something went wrong on our side.', undefined, {
    cause: error,
  });
}

/** Nest's own exceptions: its router, its guards' `false`, and the health checks' 503 with what they found. */
function fromFramework(error: HttpException): DomainError {
  const status = error.getStatus();
  if (status === 404) return routeNotFound();
  if (status === 403) return new DomainError('ACCESS_DENIED', 'AUTHZ', 'Nobody may call this.');
  if (status === 503) {
    const found = error.getResponse();
    return unavailable(error, typeof found === 'object' ? { ...found } : undefined);
  }
  if (status < 500) return refusal('REQUEST_INVALID', 'The request could not be read.');
  return new DomainError('INTERNAL', 'INTERNAL', 'Something went wrong on our side.', undefined, {
    cause: error,
  });
}
