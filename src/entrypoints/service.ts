import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { PERMISSIONS } from '../modules/identity/contract/permissions.js';
import type { AppConfig } from '../platform/config/config.js';
import { ConfigError } from '../platform/config/config.js';
import { Databases, type DatabaseUrls } from '../platform/database/database.module.js';
import { sqlState } from '../platform/database/sqlstate.js';
import { configureHttp, httpAdapter, HTTP_APP_OPTIONS } from '../platform/http/app.js';
import { ServiceLogger } from '../platform/observability/service-logger.js';
import { rootModule } from './modules.js';

/**
 * Makes the application of `config.mode`, not yet listening.
 * @throws ConfigError when the database has no schema, or one before the last migration
 */
export async function createService(config: AppConfig, urls: DatabaseUrls): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(
    await rootModule(config, urls),
    httpAdapter(),
    {
      ...HTTP_APP_OPTIONS,
      bufferLogs: true,
      // What was buffered when a start fails goes to Nest's own logger, in colours, on standard output: the caller tells it.
      logger: false,
      // A fault at the start is told by the caller, in words; Nest would print it and exit.
      abortOnError: false,
    },
  );
  app.useLogger(app.get(ServiceLogger));
  configureHttp(app, PERMISSIONS);
  await schemaMustExist(app);
  return app;
}

/** Brings the worker to the event log and listens; answers the address. Neither needs a broker that is up. */
export async function startService(app: NestFastifyApplication, config: AppConfig): Promise<string> {
  if (config.mode !== 'api') await (await import('./worker-modules.js')).connectWorker(app);
  await app.listen(config.port, config.host);
  return app.getUrl();
}

/** The last migration. Its name stands here since the migrations themselves are nothing that a service should load. */
export const LAST_MIGRATION = 'KeptTriggerPlans1763700000016';

/** Undefined table; insufficient privilege: the table of migrations was not for us to read before the migration that we ask for. */
const NO_ANSWER = ['42P01', '42501'];

async function schemaMustExist(app: NestFastifyApplication): Promise<void> {
  const rows = await app
    .get(Databases)
    .front.query<object[]>(`SELECT FROM schema_migrations WHERE name = $1`, [LAST_MIGRATION])
    .catch((error: unknown): object[] => {
      if (NO_ANSWER.includes(sqlState(error) ?? '')) return [];
      throw error;
    });
  if (rows.length > 0) return;
  await app.close();
  throw new ConfigError(
    'the database has no schema yet, or an older one: run `tartware migrate` with DATABASE_OWNER_URL first',
  );
}
