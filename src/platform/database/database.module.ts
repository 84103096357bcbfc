import { Global, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import type { DataSource, EntityTarget, ObjectLiteral } from 'typeorm';
import type { AppConfig } from '../config/config.js';
import { openDataSource, type PoolOptions } from './data-source.js';
import { BackgroundWork, UnitOfWork } from './unit-of-work.js';

/** The addresses of one process: of the application's role, of the background role, or both. */
export interface DatabaseUrls {
  readonly app: string | null;
  readonly worker: string | null;
}

/** The open pools; ended last, when nothing can ask for them any more. */
export class Databases implements OnApplicationShutdown {
  constructor(
    /** In a tenant's scope; in a worker without the application's address, the background role's. */
    readonly front: DataSource,
    /** Across tenants; null in a pure API. */
    readonly background: DataSource | null,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    const open = new Set([this.front, this.background].filter((source) => source !== null));
    for (const source of open) await source.destroy();
  }
}

/**
 * Every statement of the loops has its index. A plan that was cached while a queue was empty would read the whole table,
 * and go on doing so with a million rows in it.
 */
export const BACKGROUND_SETTINGS = { enable_seqscan: 'off', enable_bitmapscan: 'off' };

/** How long a statement of a request may take, ms: whoever asked has to hear of it while he still waits. */
const REQUEST_STATEMENT_MS = 5_000;

async function open(
  config: AppConfig,
  urls: DatabaseUrls,
  entities: EntityTarget<ObjectLiteral>[],
): Promise<Databases> {
  const pool = (
    url: string,
    role: string,
    { settings = {}, ...own }: Partial<PoolOptions>,
  ): Promise<DataSource> =>
    openDataSource(url, {
      ...own,
      poolSize: config.databasePoolSize,
      applicationName: `tartware-${role}`,
      entities,
      // The transaction of a machine that vanished keeps its locks until PostgreSQL misses it: with them a partition's offset, and
      // whoever takes the partition over would wait for hours.
      settings: { ...settings, idle_in_transaction_session_timeout: String(config.outboxLeaseMs) },
      pooled: config.databasePooled,
    });
  const background =
    urls.worker === null ? null : await pool(urls.worker, 'worker', { settings: BACKGROUND_SETTINGS });
  try {
    // A lease is how long this installation waits for what is silent.
    const statementTimeoutMs = Math.min(REQUEST_STATEMENT_MS, config.outboxLeaseMs);
    const front = urls.app === null ? background : await pool(urls.app, 'app', { statementTimeoutMs });
    if (front === null) throw new Error('no database address');
    return new Databases(front, background);
  } catch (error) {
    await background?.destroy();
    throw error;
  }
}

/** Gives every module the doors to the database; `BackgroundWork` only where the process has the background role. */
@Global()
@Module({})
export class DatabaseModule {
  static forRoot(
    config: AppConfig,
    urls: DatabaseUrls,
    entities: EntityTarget<ObjectLiteral>[],
  ): DynamicModule {
    const background = {
      provide: BackgroundWork,
      useFactory: ({ background: source }: Databases) => new BackgroundWork(source!),
      inject: [Databases],
    };
    return {
      module: DatabaseModule,
      providers: [
        { provide: Databases, useFactory: () => open(config, urls, entities) },
        {
          provide: UnitOfWork,
          useFactory: ({ front }: Databases) => new UnitOfWork(front),
          inject: [Databases],
        },
        ...(urls.worker === null ? [] : [background]),
      ],
      exports: [Databases, UnitOfWork, ...(urls.worker === null ? [] : [BackgroundWork])],
    };
  }
}
