import { createParamDecorator, Param, type ExecutionContext } from '@nestjs/common';
import { ApiHeader, ApiParam } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { OpContext } from '../context/op-context.js';
import { requestHash, type Claim } from '../database/idempotency.js';
import { DomainError, invalid } from '../kernel/errors.js';
import './access.js';
import { IdPipe } from './validation.js';

const requestOf = (context: ExecutionContext): FastifyRequest => context.switchToHttp().getRequest();

function ctxOf(request: FastifyRequest): OpContext {
  if (!request.opContext) throw new Error('a public route has no context: give it @Access');
  return request.opContext;
}

/** Adds what a parameter means for the route to its documentation, where a method's decorator would. */
const documented = (parameter: ParameterDecorator, document: MethodDecorator): ParameterDecorator => {
  return (target, key, index) => {
    parameter(target, key, index);
    const descriptor = key === undefined ? undefined : Object.getOwnPropertyDescriptor(target, key);
    if (key !== undefined && descriptor) document(target, key, descriptor);
  };
};

const ctxParam = createParamDecorator((_: unknown, context: ExecutionContext) => ctxOf(requestOf(context)));

/** Who asks, as the guard made it: `@Ctx() ctx: OpContext`. */
export const Ctx = (): ParameterDecorator => ctxParam();

/**
 * The claim of a request on its `Idempotency-Key`.
 * @throws DomainError IDEMPOTENCY_KEY_REQUIRED, IDEMPOTENCY_KEY_INVALID (400)
 */
export function claimOf(request: FastifyRequest): Claim {
  const key = request.headers['idempotency-key'];
  if (key === undefined || key === '')
    throw invalid('IDEMPOTENCY_KEY_REQUIRED', 'Idempotency-Key', 'This needs the header Idempotency-Key.');
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,200}$/.test(key))
    throw invalid(
      'IDEMPOTENCY_KEY_INVALID',
      'Idempotency-Key',
      'The key must be 1 to 200 visible ASCII characters.',
    );
  const path = request.url.split('?', 1)[0]!.replace(/\/$/, '');
  return {
    principal: ctxOf(request).actor.subject,
    key,
    requestHash: requestHash(request.method, path, request.body),
  };
}

const claimParam = createParamDecorator((_: unknown, context: ExecutionContext) =>
  claimOf(requestOf(context)),
);

/** The claim of a mutation on its key: `@IdempotencyKey() claim: Claim`. Every mutation takes one. */
export const IdempotencyKey = (): ParameterDecorator =>
  documented(
    claimParam(),
    ApiHeader({
      name: 'Idempotency-Key',
      required: true,
      description: 'Names this request: the same key and body get the first answer again, another body 422.',
      schema: { type: 'string', minLength: 1, maxLength: 200 },
    }),
  );

/**
 * The version that an `If-Match` header names: a strong entity tag (RFC 9110, 8.8.3) of a whole number, `"3"`.
 * @throws DomainError IF_MATCH_INVALID (400)
 */
function versionOf(request: FastifyRequest): number | null {
  const header = request.headers['if-match'];
  if (header === undefined) return null;
  const match = /^"([1-9]\d{0,8})"$/.exec(header);
  if (!match)
    throw invalid('IF_MATCH_INVALID', 'If-Match', 'If-Match must be one ETag as it was given: "3".');
  return Number(match[1]);
}

/** @throws DomainError PRECONDITION_REQUIRED (428) */
function requiredVersionOf(request: FastifyRequest): number {
  const version = versionOf(request);
  if (version === null)
    throw new DomainError(
      'PRECONDITION_REQUIRED',
      'VALIDATION',
      'This needs the header If-Match with the ETag.',
    );
  return version;
}

const ifMatchParam = createParamDecorator((optional: boolean, context: ExecutionContext) =>
  optional ? versionOf(requestOf(context)) : requiredVersionOf(requestOf(context)),
);

const ifMatchHeader = (required: boolean): MethodDecorator =>
  ApiHeader({
    name: 'If-Match',
    required,
    description: 'The ETag that the change is based on; stale: 412.',
    schema: { type: 'string', example: '"1"' },
  });

/** The version that the caller saw, required: `@IfMatch() version: number`. */
export const IfMatch = (): ParameterDecorator => documented(ifMatchParam(false), ifMatchHeader(true));

/** The version that the caller saw, if it says so: `@OptionalIfMatch() version: number | null`. */
export const OptionalIfMatch = (): ParameterDecorator => documented(ifMatchParam(true), ifMatchHeader(false));

/**
 * Compares a locked row's version with the one that the caller saw; null (the CLI, or no header) compares nothing.
 * @throws DomainError VERSION_STALE (412), which names the present version
 */
export function requireVersion(actual: number, expected: number | null): void {
  if (expected !== null && expected !== actual)
    throw new DomainError('VERSION_STALE', 'CONFLICT', 'It was changed since; read it again.', {
      version: actual,
    });
}

/** An id of the path, checked: `@PathId('propertyId') propertyId: string`; malformed is 400 ID_INVALID. */
export const PathId = (name: string): ParameterDecorator =>
  documented(Param(name, new IdPipe(name)), ApiParam({ name, schema: { type: 'string', format: 'uuid' } }));
