import { randomUUID } from 'node:crypto';
import { link, readFile, unlink, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, ownIdentity, type ProcessIdentity } from './process-identity.js';

const POLL_MS = 25;

/** What a lock file holds. `nonce` tells one taking of the lock from every other. */
interface Holder extends ProcessIdentity {
  readonly nonce: string;
}

/** A lock held by this process. */
export interface FileLock {
  release(): Promise<void>;
}

/** Node has no flock(2): a file made with link(2), which is whole the moment it appears, names the process that holds the lock. */
export async function tryLock(path: string): Promise<FileLock | ProcessIdentity> {
  const mine: Holder = { ...ownIdentity(), nonce: randomUUID() };
  const draft = `${path}.${mine.nonce}.tmp`;
  await writeFile(draft, JSON.stringify(mine), { mode: 0o644 });
  try {
    for (;;) {
      if (await linked(draft, path)) return { release: () => discard(path) };
      const holder = await readHolder(path);
      if (!holder) continue;
      if (isAlive(holder)) return { pid: holder.pid, startedAt: holder.startedAt };
      await removeStale(path, holder);
    }
  } finally {
    await discard(draft);
  }
}

/** Waits for the lock up to `timeoutMs`; answers its holder when it doesn't come free. */
export async function waitForLock(path: string, timeoutMs: number): Promise<FileLock | ProcessIdentity> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const lock = await tryLock(path);
    if (isLock(lock) || performance.now() > deadline) return lock;
    await sleep(POLL_MS);
  }
}

/** Tells a lock from the process that holds it instead. */
export const isLock = (result: FileLock | ProcessIdentity): result is FileLock => 'release' in result;

/** The living process that holds the lock, or null. */
export async function lockHolder(path: string): Promise<ProcessIdentity | null> {
  const holder = await readHolder(path);
  return holder && isAlive(holder) ? holder : null;
}

/**
 * Removes a dead holder's file under a lock named after that very holder. Without it, two takers that both read the same
 * stale file could remove each other's fresh one; with it, whoever comes second finds another nonce and lets it be.
 */
async function removeStale(path: string, stale: Holder): Promise<void> {
  const turn = await waitForLock(`${path}.${stale.nonce}`, 1000);
  if (!isLock(turn)) return;
  try {
    if ((await readHolder(path))?.nonce === stale.nonce) await discard(path);
  } finally {
    await turn.release();
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function readHolder(path: string): Promise<Holder | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    const { pid, startedAt, nonce } = JSON.parse(text) as Partial<Holder>;
    if (typeof pid === 'number' && typeof startedAt === 'string' && typeof nonce === 'string')
      return { pid, startedAt, nonce };
  } catch {
    // Falls through: power was lost before the file's bytes reached the disk. Nobody who lives writes such a file.
  }
  return { pid: 0, startedAt: '', nonce: 'unreadable' };
}

const discard = (path: string): Promise<void> => unlink(path).catch(() => undefined);
