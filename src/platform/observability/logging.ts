import type { IncomingMessage, ServerResponse } from 'node:http';
import { RequestMethod } from '@nestjs/common';
import type { Params } from 'nestjs-pino';
import type { AppConfig } from '../config/config.js';
import { sqlState, violatedConstraint } from '../database/sqlstate.js';

/** What a log line tells of an error. */
export interface LoggedError {
  readonly type: string;
  readonly message?: string;
  readonly code?: string;
  readonly constraint?: string;
  readonly stack?: string;
  readonly cause?: LoggedError;
}

const MAX_CAUSES = 5;

/**
 * An error, without what could hold a guest's data. PostgreSQL's messages quote values and node-pg and TypeORM hang
 * parameters on their errors: of those only the SQLSTATE, the constraint and the frames are logged.
 */
export function loggedError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error };
  const code = sqlState(error);
  const fromDatabase = code !== undefined && /^[0-9A-Z]{5}$/.test(code);
  const { cause } = error;
  return {
    type: error.name,
    ...(code !== undefined && { code }),
    ...(fromDatabase ? { constraint: violatedConstraint(error) } : { message: error.message }),
    stack: framesOf(error),
    ...(cause !== undefined && depth < MAX_CAUSES && { cause: loggedError(cause, depth + 1) }),
  };
}

/** The stack without its head, which repeats the message. */
const framesOf = (error: Error): string =>
  (error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .map((line) => line.trim())
    .join('\n');

/** pino's levels for a finished request: failures of ours stand out, the rest is for those who look. */
const levelOf = (_request: IncomingMessage, response: ServerResponse, error?: Error): 'warn' | 'debug' =>
  error || response.statusCode >= 500 ? 'warn' : 'debug';

/** The path alone: a query string may hold a name that somebody looked for. */
const pathOf = (request: IncomingMessage): string => (request.url ?? '').split('?', 1)[0]!;

/**
 * Options of nestjs-pino's `LoggerModule.forRoot`: one JSON object a line on standard output, level from the
 * configuration; each line of a request carries `correlationId` and, once it is known, `tenantId` and `subject`.
 * No bodies, no headers, no query strings.
 */
export function loggingParams(config: Pick<AppConfig, 'logLevel' | 'commitSha'>): Params {
  return {
    // nestjs-pino's own default, `{/*splat}`, matches nothing under Fastify: its middleware would never run.
    forRoutes: [{ path: '{*splat}', method: RequestMethod.ALL }],
    pinoHttp: {
      level: config.logLevel,
      base: { commit: config.commitSha },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: ['authorization', '*.authorization', '*.headers.authorization', '*.password'],
      // pino-http makes a logger with the request in it even when it is told to be quiet: what is nothing needn't be written out.
      wrapSerializers: false,
      serializers: { err: (error: unknown) => loggedError(error), req: () => undefined },
      customAttributeKeys: { reqId: 'correlationId' },
      // One logger a request and not three, so that what the guard adds to it is in its last line as well.
      quietReqLogger: true,
      quietResLogger: true,
      customLogLevel: levelOf,
      customSuccessObject: requestFields,
      customErrorObject: requestFields,
      customSuccessMessage: () => 'request',
      customErrorMessage: () => 'request',
    },
  };
}

const requestFields = (request: IncomingMessage, response: ServerResponse, ...rest: unknown[]): object => ({
  method: request.method,
  path: pathOf(request),
  status: response.statusCode,
  ms: (rest.at(-1) as { responseTime?: number } | undefined)?.responseTime,
});
