import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type {
  DynamicModule,
  INestApplication,
  INestApplicationContext,
  NestApplicationOptions,
} from '@nestjs/common';
import { CliRuntime, type RuntimeNeeds } from '../../platform/cli/runtime.js';
import { ConfigError, loadConfig, type AppConfig } from '../../platform/config/config.js';
import type { DatabaseUrls } from '../../platform/database/database.module.js';
import { joinEmbedded } from '../../platform/database/embedded/embedded-postgres.js';
import { runMigrations } from '../../platform/database/migrate.js';

/** A command's logs are for its user: warnings and worse, unless LOG_LEVEL says otherwise. */
const commandConfig = (): AppConfig => {
  return { ...loadConfig(undefined, { LOG_LEVEL: 'warn' }), mode: 'all' };
};

/** The command line's way to the application: see `CliRuntime`. */
export class ProcessCliRuntime extends CliRuntime {
  private loaded: AppConfig | null = null;

  get config(): AppConfig {
    return (this.loaded ??= commandConfig());
  }

  async withApp<T>(work: (app: INestApplicationContext) => Promise<T>, needs: RuntimeNeeds = {}): Promise<T> {
    if (!this.config.embedded) return this.inApp(this.configuredUrls(needs), needs, work);
    const database = await joinEmbedded(this.config.home);
    try {
      await runMigrations(database.ownerUrl);
      return await this.inApp({ app: database.appUrl, worker: database.workerUrl }, needs, async (app) => {
        // As the service does at its start: the first command on a new home finds the tenant that it takes for granted.
        const { SeedDemo } = await import('../../modules/demo/contract/seed-demo.js');
        await app.get(SeedDemo).execute();
        return work(app);
      });
    } finally {
      await database.stop();
    }
  }

  async withOwner<T>(work: (ownerUrl: string) => Promise<T>): Promise<T> {
    if (!this.config.embedded) {
      const { databaseOwnerUrl } = this.config;
      if (!databaseOwnerUrl) throw new ConfigError('this needs DATABASE_OWNER_URL, the owner of the schema');
      return work(databaseOwnerUrl);
    }
    const database = await joinEmbedded(this.config.home);
    try {
      return await work(database.ownerUrl);
    } finally {
      await database.stop();
    }
  }

  private configuredUrls(needs: RuntimeNeeds): DatabaseUrls {
    const { databaseUrl: app, databaseWorkerUrl: worker } = this.config;
    if (!app) throw new ConfigError('this needs DATABASE_URL');
    const background = needs.worker || needs.background;
    if (background && !worker)
      throw new ConfigError('this needs DATABASE_WORKER_URL: it works across tenants');
    return { app, worker: background ? worker : null };
  }

  private async inApp<T>(
    urls: DatabaseUrls,
    needs: RuntimeNeeds,
    work: (app: INestApplicationContext) => Promise<T>,
  ): Promise<T> {
    const { cliModule } = await import('../modules.js');
    const { ServiceLogger } = await import('../../platform/observability/service-logger.js');
    const module = await cliModule(this.config, urls, needs);
    // Nest's own logger would get what was buffered when the start fails: on standard output, which is the result's.
    const options = { bufferLogs: true, abortOnError: false, logger: false } as const;
    // A worker is a microservice; a command without one needs no more than the context.
    const app = needs.worker
      ? await this.withWorker(module, options)
      : await NestFactory.createApplicationContext(module, options);
    try {
      app.useLogger(app.get(ServiceLogger));
      return await work(app);
    } finally {
      await app.close();
    }
  }

  /** A hybrid application that never listens: Nest starts microservices on no other kind. */
  private async withWorker(
    module: DynamicModule,
    options: NestApplicationOptions,
  ): Promise<INestApplication> {
    const { httpAdapter } = await import('../../platform/http/app.js');
    const { EventLog } = await import('../../platform/event-log/event-log.js');
    const { EventLogTransport } = await import('../../platform/event-log/transport/event-log-transport.js');
    const { topicsOf } = await import('../event-log.js');
    const app = await NestFactory.create(module, httpAdapter(), options);
    try {
      await app.get(EventLog).provision(topicsOf(this.config));
      app.connectMicroservice({ strategy: app.get(EventLogTransport) });
      await app.init();
      await app.startAllMicroservices();
      return app;
    } catch (error) {
      await app.close();
      throw error;
    }
  }
}
