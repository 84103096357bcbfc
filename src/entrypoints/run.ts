import { createServer } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { endOf, CliError, EXIT } from '../platform/cli/exit-codes.js';
import { note, out } from '../platform/cli/output.js';
import { loadConfig, requireForMode, type AppConfig } from '../platform/config/config.js';
import type { DatabaseUrls } from '../platform/database/database.module.js';
import { startEmbedded, type EmbeddedDatabase } from '../platform/database/embedded/embedded-postgres.js';
import { runMigrations } from '../platform/database/migrate.js';

/** @throws CliError (exit code 5) when the port is taken, before anything is started for nothing */
function portMustBeFree({ host, port }: AppConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'EADDRINUSE' ? 'is in use' : `can't be bound (${error.code ?? error.message})`;
      reject(
        new CliError(`port ${port} of ${host} ${why}: stop what uses it, or set PORT`, EXIT.unavailable),
      );
    });
    probe.listen(port, host, () => probe.close(() => resolve()));
  });
}

function banner(config: AppConfig, url: string, seconds: string): void {
  const api = config.mode !== 'worker';
  const lines = [
    `Tartware (${config.mode}) is ready after ${seconds} s`,
    ...(api ? [`  API      ${url}/v1`, `  Docs     ${url}/docs`] : []),
    `  Health   ${url}/health/readiness  ${url}/health/liveness`,
    `  Metrics  ${url}/metrics`,
    ...(api ? ['  Token    npx tartware token issue'] : []),
    ...(config.embedded ? [`  Data     ${config.home}`] : []),
    '  Ctrl-C drains and stops it.',
  ];
  out(lines.join('\n'));
}

async function embedded(config: AppConfig): Promise<{ database: EmbeddedDatabase; urls: DatabaseUrls }> {
  const database = await startEmbedded({ home: config.home });
  try {
    await runMigrations(database.ownerUrl);
    return { database, urls: { app: database.appUrl, worker: database.workerUrl } };
  } catch (error) {
    await database.stop();
    throw error;
  }
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(130));
        resolve(signal);
      });
    }
  });
}

async function serve(config: AppConfig): Promise<void> {
  const started = performance.now();
  requireForMode(config);
  await portMustBeFree(config);
  const home = config.embedded ? await embedded(config) : null;
  try {
    // Loaded only now, beside the database's start: a wrong environment is told at once.
    const { createService, startService } = await import('./service.js');
    const { app: appUrl, worker } = home?.urls ?? {
      app: config.databaseUrl,
      worker: config.databaseWorkerUrl,
    };
    const urls = {
      app: config.mode === 'worker' ? null : appUrl,
      worker: config.mode === 'api' ? null : worker,
    };
    const app = await createService(config, urls);
    try {
      if (home) {
        const { SeedDemo } = await import('../modules/demo/contract/seed-demo.js');
        await app.get(SeedDemo).execute();
      }
      const stop = stopSignal();
      const url = await startService(app, config);
      // From here on the heap grows by less at a time: a third less memory under load. Not before, since loading lets it grow.
      setFlagsFromString('--heap-growing-percent=40');
      banner(config, url, ((performance.now() - started) / 1000).toFixed(1));
      note(`tartware: ${await stop}, draining`);
    } finally {
      await app.close();
    }
  } finally {
    await home?.database.stop();
  }
  note('tartware: stopped');
}

/** Starts the service of APP_MODE and runs it until a signal; sets the exit code. */
export async function runService(): Promise<void> {
  try {
    await serve(loadConfig());
  } catch (error) {
    const { code, message } = endOf(error);
    note(`tartware: ${message}`);
    if (code === EXIT.failed) note(error instanceof Error ? (error.stack ?? '') : '');
    process.exitCode = code;
  }
  // Everything is closed. What a library left behind (kafkajs looks at a closed connection's queue each millisecond, for ever)
  // must not keep the process.
  process.exit();
}
