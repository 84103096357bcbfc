// `NODE_OPTIONS='--import <this file>' LOADED_MODULES=<file>`: when the process ends it writes, as an object, the URLs of all modules
// that it loaded, however and whenever, and for each the URLs of those that asked for it.
import { writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

const loaded = new Set();
const importers = new Map();

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const { parentURL } = context;
    if (parentURL) importers.set(resolved.url, (importers.get(resolved.url) ?? new Set()).add(parentURL));
    return resolved;
  },
  load(url, context, next) {
    loaded.add(url);
    return next(url, context);
  },
});
process.on('exit', () => {
  const modules = [...loaded].map((url) => [url, [...(importers.get(url) ?? [])]]);
  writeFileSync(process.env.LOADED_MODULES, JSON.stringify(Object.fromEntries(modules)));
});
