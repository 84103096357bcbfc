import { chmodSync, mkdtempSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MEMORY = '/dev/shm';
const ENOUGH_BYTES = 4_000_000_000;

/** Where a test run keeps its databases: in memory where there is plenty, since making a cluster's thousand files on disk takes a second or two. */
export function scratchRoot(): string {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize > ENOUGH_BYTES ? MEMORY : tmpdir();
  } catch {
    return tmpdir();
  }
}

/** A new empty folder there, which the server's user may enter. */
export function scratchFolder(prefix: string): string {
  const made = mkdtempSync(join(scratchRoot(), prefix));
  chmodSync(made, 0o711);
  return made;
}
