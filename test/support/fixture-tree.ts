import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** The root of this checkout. */
export const ROOT = join(import.meta.dirname, '..', '..');

/** Writes a small checkout: `files` by path, `copies` taken from this one, `packages` as empty npm packages. */
export function plantTree(
  files: Readonly<Record<string, string>>,
  copies: readonly string[],
  packages: { readonly dependencies: readonly string[]; readonly devDependencies: readonly string[] },
): string {
  const root = mkdtempSync(join(tmpdir(), 'tartware-planted-'));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  for (const [path, text] of Object.entries(files)) write(path, text);
  for (const path of copies) cpSync(join(ROOT, path), join(root, path));
  const versions = (names: readonly string[]): object =>
    Object.fromEntries(names.map((name) => [name, '1.0.0']));
  const manifest = {
    type: 'module',
    dependencies: versions(packages.dependencies),
    devDependencies: versions(packages.devDependencies),
  };
  write('package.json', JSON.stringify(manifest));
  for (const name of [...packages.dependencies, ...packages.devDependencies]) {
    write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'index.js' }));
    write(`node_modules/${name}/index.js`, 'module.exports = {};\n');
  }
  return root;
}
