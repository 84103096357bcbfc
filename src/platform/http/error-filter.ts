import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '../kernel/errors.js';
import { loggedError } from '../observability/logging.js';
import { asDomainError, statusOf } from './error-status.js';
import type { RouteTable } from './route-table.js';

/** Seconds after which a refused request may be tried again. */
const RETRY_AFTER_SECONDS = '1';

/** The body of every refusal. */
export const errorBody = (error: DomainError, correlationId: string): object => ({
  error: {
    code: error.code,
    category: error.category,
    message: error.message,
    ...(error.details !== undefined && { details: error.details }),
    correlationId,
  },
});

/**
 * The one exception filter: every error leaves through it, in one form, and nothing leaves that the caller can't act
 * on. Server faults are logged with their causes, and with ids only.
 */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger('http');

  constructor(private readonly routes: RouteTable) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const error = this.refine(asDomainError(thrown), request, reply);
    const status = statusOf(error);
    if (status >= 500) this.report(error, thrown, request, status);
    if (reply.sent) return;
    if (status === 401)
      reply.header(
        'www-authenticate',
        error.code === 'TOKEN_MISSING' ? 'Bearer' : 'Bearer error="invalid_token"',
      );
    if (status === 503) reply.header('retry-after', RETRY_AFTER_SECONDS);
    void reply
      .code(status)
      .header('content-type', 'application/json; charset=utf-8')
      .send(JSON.stringify(errorBody(error, request.id)));
  }

  /** A path that other methods have is 405 and says which (RFC 9110, 15.5.6). */
  private refine(error: DomainError, request: FastifyRequest, reply: FastifyReply): DomainError {
    if (error.code !== 'ROUTE_NOT_FOUND') return error;
    const methods = this.routes.methodsOf(request.url);
    if (methods.length === 0) return error;
    reply.header('allow', methods.join(', '));
    return new DomainError('METHOD_NOT_ALLOWED', 'VALIDATION', `Here is ${methods.join(', ')} only.`);
  }

  /** The line's logger knows the correlation id, and the tenant once there is one. */
  private report(error: DomainError, thrown: unknown, request: FastifyRequest, status: number): void {
    this.logger.error({
      msg: 'request failed',
      code: error.code,
      status,
      method: request.method,
      route: request.routeOptions?.url,
      error: loggedError(thrown),
    });
  }
}
