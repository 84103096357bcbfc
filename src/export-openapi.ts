import 'reflect-metadata';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { rootModule } from './entrypoints/modules.js';
import { loadConfig } from './platform/config/config.js';
import { httpAdapter } from './platform/http/app.js';
import { buildOpenApi } from './platform/http/openapi.js';

/** Objects in the order of their keys, so that the file depends on the routes and on nothing else. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, inOrder(item)]));
}

/** Writes the OpenAPI document of the API. Nest's preview makes no provider, so no database and no broker is needed. */
async function exportOpenApi(file: string): Promise<void> {
  const module = await rootModule(loadConfig({ APP_MODE: 'api' }), { app: null, worker: null });
  const app = await NestFactory.create(module, httpAdapter(), {
    preview: true,
    logger: false,
    abortOnError: false,
  });
  const document = inOrder(buildOpenApi(app));
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(document, null, 2)}\n`);
}

await exportOpenApi(resolve(process.argv[2] ?? 'docs/openapi/tartware.json'));
