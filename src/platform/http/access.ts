import {
  Injectable,
  RequestMethod,
  SetMetadata,
  type ExecutionContext,
  type INestApplication,
} from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { MetadataScanner, ModulesContainer, Reflector } from '@nestjs/core';
import { AuthGuard } from '@nestjs/passport';
import { ApiBearerAuth, ApiExtension } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { makeContext, requirePermission, traceIdOf, type OpContext } from '../context/op-context.js';
import { JwtStrategy } from './jwt-strategy.js';
import type { Principal } from './token-verifier.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks, made by `AccessGuard`; null on public routes. */
    opContext: OpContext | null;
  }
}

const ACCESS = 'tartware:access';
const PUBLIC = Symbol('public');

type Decorator = MethodDecorator & ClassDecorator;

/** The route's permission: who lacks it gets 403 PERMISSION_DENIED, who has no valid token 401. */
export const Access =
  (permission: string): MethodDecorator =>
  (target, key, descriptor) => {
    SetMetadata(ACCESS, permission)(target, key, descriptor);
    ApiBearerAuth()(target, key, descriptor as TypedPropertyDescriptor<unknown>);
    ApiExtension('x-permission', permission)(target, key, descriptor as TypedPropertyDescriptor<unknown>);
  };

/** The route (or every route of the controller) needs no token: probes, metrics, documentation. */
export const Public = (): Decorator => SetMetadata(ACCESS, PUBLIC);

/**
 * The one guard, on every route. It denies by default: a route without `@Access` or `@Public` is refused, whatever the
 * caller holds. Middleware bound to paths has been bypassed (encodings, HEAD); a guard stands where the handler is.
 */
@Injectable()
export class AccessGuard extends AuthGuard() {
  constructor(
    private readonly reflector: Reflector,
    strategy: JwtStrategy,
  ) {
    super({ defaultStrategy: strategy.name });
  }

  /** @throws DomainError TOKEN_MISSING, TOKEN_INVALID, TOKEN_EXPIRED (401), PERMISSION_DENIED (403) */
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const access = this.reflector.getAllAndOverride<unknown>(ACCESS, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (context.getType() !== 'http') return false;
    if (access === PUBLIC) return true;
    if (typeof access !== 'string') return false;
    await super.canActivate(context);
    const request = context.switchToHttp().getRequest<FastifyRequest & { user: Principal }>();
    const ctx = contextOf(request, request.user);
    request.opContext = ctx;
    // From here on every log line of this request says whose it is and to which trace it belongs.
    const { allLogs } = request.raw as LoggedRequest;
    allLogs?.at(-1)?.setBindings({
      tenantId: ctx.tenantId,
      subject: ctx.actor.subject,
      traceId: traceIdOf(ctx.traceparent),
    });
    context.switchToHttp().getResponse<FastifyReply>().header('traceparent', ctx.traceparent);
    requirePermission(ctx, access);
    return true;
  }

  /** Passport's outcome: its errors pass as they are, since the filter knows them. */
  override handleRequest<T>(error: unknown, principal: T): T {
    if (error) throw error instanceof Error ? error : new Error('authentication failed', { cause: error });
    return principal;
  }
}

/** What pino-http hangs on a request: the loggers of its lines, last come last. */
interface LoggedRequest {
  readonly allLogs?: readonly { setBindings(bindings: Record<string, unknown>): void }[];
}

const contextOf = (request: FastifyRequest, principal: Principal): OpContext =>
  makeContext({
    ...principal,
    source: 'http',
    correlationId: request.id,
    traceparent: headerOf(request, 'traceparent'),
    ip: request.ip,
  });

const headerOf = (request: FastifyRequest, name: string): string | undefined => {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
};

/**
 * Walks every controller that the router will see.
 * @param known permissions that exist; a route that asks for another one could be reached by nobody
 * @throws Error naming every route without `@Access` or `@Public`, and every unknown permission
 */
export function assertEveryRouteIsAnnotated(app: INestApplication, known?: ReadonlySet<string>): void {
  const faults: string[] = [];
  for (const { name, permission } of routesOf(app)) {
    if (permission === undefined) faults.push(`${name} has neither @Access nor @Public`);
    else if (typeof permission === 'string' && known && !known.has(permission))
      faults.push(`${name} asks for ${permission}, which is no permission`);
  }
  if (faults.length > 0) throw new Error(`Routes without sound access:\n  ${faults.join('\n  ')}`);
}

interface AnnotatedRoute {
  readonly name: string;
  /** The permission, PUBLIC, or undefined. */
  readonly permission: unknown;
}

function* routesOf(app: INestApplication): Generator<AnnotatedRoute> {
  const scanner = new MetadataScanner();
  for (const module of app.get(ModulesContainer).values())
    for (const { metatype } of module.controllers.values()) {
      const controller = metatype as (new () => object) | null;
      if (!controller) continue;
      for (const method of scanner.getAllMethodNames(controller.prototype as object)) {
        const handler = (controller.prototype as Record<string, object>)[method]!;
        const path = Reflect.getMetadata(PATH_METADATA, handler) as string | undefined;
        if (path === undefined) continue;
        const verb = RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler) as number];
        const base = String(Reflect.getMetadata(PATH_METADATA, controller) ?? '');
        yield {
          name: `${verb} ${`/${base}/${path}`.replaceAll(/\/+/g, '/').replace(/\/$/, '')} (${controller.name}.${method})`,
          permission: Reflect.getMetadata(ACCESS, handler) ?? Reflect.getMetadata(ACCESS, controller),
        };
      }
    }
}
