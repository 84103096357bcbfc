import type { IncomingMessage } from 'node:http';
import type { NestApplicationOptions } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { SwaggerModule } from '@nestjs/swagger';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isUuid, newId } from '../kernel/ids.js';
import { metrics } from '../observability/metrics.js';
import { AccessGuard, assertEveryRouteIsAnnotated } from './access.js';
import { ErrorFilter, errorBody } from './error-filter.js';
import { asDomainError, statusOf } from './error-status.js';
import { parseJsonBody } from './input-guard.js';
import { buildOpenApi } from './openapi.js';
import { RouteTable } from './route-table.js';
import { InputPipe } from './validation.js';

/** Largest body, bytes. */
export const BODY_LIMIT = 256 * 1024;

/** Longest time that a client may take to send a request, ms: a slow one must not hold its socket for ever. */
const REQUEST_TIMEOUT_MS = 30_000;

/** A caller's correlation id if it is one (a canonical UUID), else a new one. */
function correlationIdOf(request: IncomingMessage): string {
  const given = request.headers['x-correlation-id'];
  return typeof given === 'string' && isUuid(given) ? given : newId();
}

/** Options of `NestFactory.create`: Nest's own body parsers would take form bodies, and JSON before it is looked at. */
export const HTTP_APP_OPTIONS = { bodyParser: false } as const satisfies NestApplicationOptions;

/** The Fastify server: 256 KiB bodies, no trust in proxies' headers, a correlation id as each request's id. */
export const httpAdapter = (): FastifyAdapter =>
  new FastifyAdapter({
    bodyLimit: BODY_LIMIT,
    trustProxy: false,
    requestIdHeader: false,
    genReqId: correlationIdOf,
    return503OnClosing: true,
    requestTimeout: REQUEST_TIMEOUT_MS,
    routerOptions: { ignoreTrailingSlash: true },
    // The router's own refusals come before every hook and every filter.
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      const refusal = asDomainError(error);
      void reply
        .code(statusOf(refusal))
        .headers({ 'content-type': 'application/json; charset=utf-8', 'x-correlation-id': request.id })
        .send(JSON.stringify(errorBody(refusal, request.id)));
    },
  });

/**
 * Makes an application of `NestFactory.create(module, httpAdapter(), HTTP_APP_OPTIONS)` ready to listen: guard, pipe,
 * filter, JSON only, correlation ids, metrics, documentation. Needs `HttpModule`. Call it once, before `init` or `listen`.
 * @param permissions all that exist; a route asking for another stops the start
 * @throws Error naming every route without access annotation
 */
export function configureHttp(
  app: NestFastifyApplication,
  permissions?: Iterable<string>,
): NestFastifyApplication {
  const routes = new RouteTable();
  configureServer(app, routes);
  app.useGlobalGuards(app.get(AccessGuard));
  app.useGlobalPipes(new InputPipe());
  app.useGlobalFilters(new ErrorFilter(routes));
  assertEveryRouteIsAnnotated(app, permissions && new Set(permissions));
  // Built at the first request for it: start-up time is felt at every start, the document rarely.
  SwaggerModule.setup('docs', app, () => buildOpenApi(app), { raw: ['json'] });
  return app;
}

/**
 * Closing waits for every connection to end, and closes those that are idle at that moment only: one that was still being
 * answered then would be kept alive, and the process with it, for 72 s more.
 */
function closeConnectionsOnceIdle(server: FastifyInstance): void {
  let closing = false;
  server.addHook('preClose', (done) => {
    closing = true;
    const sweep = setInterval(() => server.server.closeIdleConnections(), 100);
    server.server.once('close', () => clearInterval(sweep));
    sweep.unref();
    done();
  });
  server.addHook('onSend', (_request, reply, _payload, done) => {
    if (closing) reply.header('connection', 'close');
    done();
  });
}

function configureServer(app: NestFastifyApplication, routes: RouteTable): void {
  const server = app.getHttpAdapter().getInstance();
  server.decorateRequest('opContext', null);
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, parseJsonBody(body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
  server.addHook('onRoute', ({ method, url }) => routes.add(method, url));
  closeConnectionsOnceIdle(server);
  server.addHook('onSend', (request, reply, _payload, done) => {
    // A kept answer brings the id of the request that made it.
    if (!reply.hasHeader('x-correlation-id')) reply.header('x-correlation-id', request.id);
    reply.header('x-content-type-options', 'nosniff');
    done();
  });
  server.addHook('onResponse', (request, reply, done) => {
    metrics.httpSeconds.observe(
      { method: request.method, route: request.routeOptions.url ?? 'none', status: reply.statusCode },
      reply.elapsedTime / 1000,
    );
    done();
  });
}
