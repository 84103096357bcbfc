import { registerHooks } from 'node:module';
import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { without, type Wall } from './walls.js';

// `node --import hook.ts dist/src/main.js` with BENCH_WITHOUT runs our build without that wall; without BENCH_WITHOUT, as it is.

const SRC = resolve(import.meta.dirname, '../../dist/src');
const wall = process.env['BENCH_WITHOUT'] as Wall | undefined;

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    const module = url.startsWith('file:') ? relative(SRC, fileURLToPath(url)).replace(/\.js$/, '') : '..';
    if (!wall || module.startsWith('..') || loaded.source === undefined) return loaded;
    const source =
      typeof loaded.source === 'string' ? loaded.source : Buffer.from(loaded.source as Uint8Array).toString();
    return { ...loaded, source: without(wall, module, source) };
  },
});
