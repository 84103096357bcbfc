import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Global, Module, type DynamicModule, type LoggerService, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { DataSource } from 'typeorm';
import { PERMISSIONS, ROLE_PERMISSIONS, type Role } from '../../src/modules/identity/contract/permissions.js';
import { TokenIssuer } from '../../src/modules/identity/contract/token-issuer.js';
import { IdentityModule } from '../../src/modules/identity/identity.module.js';
import { loadConfig, type AppConfig } from '../../src/platform/config/config.js';
import { APP_CONFIG } from '../../src/platform/config/config.token.js';
import { openDataSource } from '../../src/platform/database/data-source.js';
import { UnitOfWork } from '../../src/platform/database/unit-of-work.js';
import { configureHttp, httpAdapter, HTTP_APP_OPTIONS } from '../../src/platform/http/app.js';
import { HttpModule } from '../../src/platform/http/http.module.js';
import { Clock, SystemClock } from '../../src/platform/kernel/clock.js';
import { newId, tenantId, type TenantId } from '../../src/platform/kernel/ids.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

/** An answer, parsed. */
export interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly text: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests reach into answers of every shape
  readonly body: any;
}

export interface Call {
  readonly token?: string | null;
  /** An object is sent as JSON, a text or bytes as they are. */
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  /** The Idempotency-Key; a new one for each mutation unless told, null for none. */
  readonly key?: string | null;
  readonly ifMatch?: number | string;
}

/** What any application of this process logged as a warning or worse: Nest has one logger a process. */
export const logged: unknown[] = [];

const record = (...parts: unknown[]): void => {
  logged.push(...parts);
};
const RECORDER: LoggerService = { log: () => undefined, warn: record, error: record, fatal: record };

/** An application over a database of its own, spoken to without a socket. */
export class HttpApp {
  private constructor(
    readonly database: TestDatabase,
    readonly source: DataSource,
    readonly config: AppConfig,
    readonly nest: NestFastifyApplication,
    private readonly home: string,
  ) {}

  static async start(
    modules: readonly (Type | DynamicModule)[],
    options: { entities?: (new () => object)[]; controllers?: Type[]; permissions?: readonly string[] } = {},
  ): Promise<HttpApp> {
    const database = await createTestDatabase();
    const home = await mkdtemp(join(tmpdir(), 'tartware-http-'));
    const config = loadConfig({ TARTWARE_HOME: home });
    const source = await openDataSource(database.appUrl, {
      poolSize: 6,
      applicationName: 'test',
      entities: options.entities ?? [],
    });
    const root = rootModule(config, source, modules, options.controllers ?? []);
    const nest = await NestFactory.create<NestFastifyApplication>(root, httpAdapter(), {
      ...HTTP_APP_OPTIONS,
      logger: RECORDER,
      abortOnError: false,
    });
    const app = new HttpApp(database, source, config, nest, home);
    try {
      configureHttp(nest, options.permissions ?? PERMISSIONS);
      await nest.init();
    } catch (error) {
      await app.stop();
      throw error;
    }
    return app;
  }

  async stop(): Promise<void> {
    await this.nest.close();
    await this.source.destroy();
    await this.database.drop();
    await rm(this.home, { recursive: true, force: true });
  }

  token(tenant: TenantId, permissions: Iterable<string>, subject = 'tester'): Promise<string> {
    return this.nest.get(TokenIssuer).issueToken({ tenantId: tenant, subject, permissions, ttlSeconds: 600 });
  }

  tokenFor(role: Role, tenant: TenantId, subject?: string): Promise<string> {
    return this.token(tenant, ROLE_PERMISSIONS[role], subject);
  }

  /** A tenant, written by the superuser: its creation is not what is tested. */
  async tenant(code: string): Promise<TenantId> {
    const id = tenantId(newId());
    await this.sql(`INSERT INTO tenants (tenant_id, code, name) VALUES ($1, $2, $2)`, [id, code]);
    return id;
  }

  /** A statement past all walls. */
  async sql<T extends object>(text: string, values: unknown[] = []): Promise<T[]> {
    const { Client } = (await import('pg')).default;
    const client = new Client({ connectionString: this.database.superUrl });
    await client.connect();
    try {
      return (await client.query<T>(text, values)).rows;
    } finally {
      await client.end();
    }
  }

  async call(method: string, url: string, call: Call = {}): Promise<Answer> {
    const { token, body, headers, key, ifMatch } = call;
    const raw = typeof body === 'string' || Buffer.isBuffer(body);
    const mutation = method !== 'GET' && method !== 'HEAD';
    const response = await this.nest.inject({
      method: method as 'GET',
      url,
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(mutation && key !== null && { 'idempotency-key': key ?? newId() }),
        ...(ifMatch !== undefined && { 'if-match': typeof ifMatch === 'number' ? `"${ifMatch}"` : ifMatch }),
        ...headers,
      },
      ...(body !== undefined && { payload: raw ? body : JSON.stringify(body) }),
    });
    return {
      status: response.statusCode,
      headers: response.headers,
      text: response.body,
      body: /json/.test(String(response.headers['content-type']))
        ? JSON.parse(response.body || 'null')
        : null,
    };
  }
}

function rootModule(
  config: AppConfig,
  source: DataSource,
  modules: readonly (Type | DynamicModule)[],
  controllers: Type[],
): DynamicModule {
  const providers = [
    { provide: APP_CONFIG, useValue: config },
    { provide: UnitOfWork, useValue: new UnitOfWork(source) },
    { provide: Clock, useClass: SystemClock },
  ];
  @Global()
  @Module({ providers, exports: [APP_CONFIG, UnitOfWork, Clock] })
  class Floor {}
  @Module({})
  class Root {}
  return { module: Root, imports: [Floor, HttpModule, IdentityModule, ...modules], controllers };
}
