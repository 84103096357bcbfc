import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { Installation, ROOT } from '../support/service.js';

/** Parts of the addresses of what only a worker needs. */
const WORKERS = [
  '/node_modules/kafkajs/',
  '/node_modules/@nestjs/microservices/',
  '/node_modules/@nestjs/schedule/',
  '/dist/src/entrypoints/worker-modules.js',
  '-worker.module.js',
  '/dist/src/modules/consumer/consumer.module.js',
  '/dist/src/modules/consumer/processing/',
  '/dist/src/modules/lifecycle/auditor/',
  '/dist/src/modules/maintenance/maintenance.module.js',
  '/dist/src/modules/outbox/relay/',
  '/dist/src/platform/event-log/kafka/',
  '/dist/src/platform/event-log/postgres/',
];

/** Nest loads its microservices by itself in every application, where they are installed at all. */
const NEST = '/node_modules/@nestjs/core/nest-application.js';

/** By the address of a module that a process loaded, the addresses of those that import it. */
type Loaded = Readonly<Record<string, readonly string[]>>;

/** Which parts something else asks for. */
const ofWorkers = (loaded: Loaded): string[] =>
  WORKERS.filter((part) =>
    Object.entries(loaded).some(
      ([url, importers]) =>
        url.includes(part) && importers.some((from) => !from.includes(part) && !from.endsWith(NEST)),
    ),
  );

describe('a process', () => {
  let db: TestDatabase;
  let inst: Installation;

  beforeAll(async () => {
    db = await createTestDatabase();
    inst = await Installation.create({ DATABASE_URL: db.appUrl, DATABASE_WORKER_URL: db.workerUrl });
  });

  afterAll(async () => {
    await inst?.dispose();
    await db?.drop();
  });

  /** What a service loads from its start to its end, as told from within. */
  const loadedBy = async (mode: 'all' | 'api'): Promise<Loaded> => {
    const file = join(inst.home, `loaded-${mode}.json`);
    const listing = join(ROOT, 'test/support/loaded-modules.mjs');
    const env = { APP_MODE: mode, NODE_OPTIONS: `--import ${listing}`, LOADED_MODULES: file };
    const service = await inst.start(env);
    expect((await service.stop()).code).toBe(0);
    return JSON.parse(readFileSync(file, 'utf8')) as Loaded;
  };

  // Else the other test would hold, too, if nothing were listed, or if what it looks for had another name by now.
  it('that is API and worker loads all that workers need', async () => {
    expect(ofWorkers(await loadedBy('all'))).toEqual(WORKERS);
  });

  it('that is an API loads nothing of it', async () => {
    expect(ofWorkers(await loadedBy('api'))).toEqual([]);
  });
});
