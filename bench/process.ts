import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { freePort } from '../src/platform/database/embedded/postmaster.js';
import { until } from '../test/support/http-client.js';
import type { Bed } from './bed.js';

const ROOT = resolve(import.meta.dirname, '..');
/** Lets Node run TypeScript as it stands. */
export const TS_HOOKS = ['--import', join(ROOT, 'test/support/ts-hooks.mjs')];
/** USER_HZ: what /proc counts in, on every Linux. */
const TICK_MS = 10;
/** How often a service is asked whether it is ready. */
const ASK_EVERY_MS = 10;

/** A service that answers. */
export interface ServiceProcess {
  readonly pid: number;
  readonly port: number;
  /** Has it end, and waits for that; the part's end does so too. */
  stop(): Promise<void>;
}

/**
 * Starts a service of HTTP with nothing of this machine's own configuration, and waits until `ready` answers 200. It writes into
 * a file, as a service does that nobody reads along with; it ends with the part.
 * @param args of Node: options, the program
 */
export async function startService(
  bed: Bed,
  name: string,
  args: readonly string[],
  { ready, env }: { readonly ready: string; readonly env: Readonly<Record<string, string>> },
): Promise<ServiceProcess> {
  const port = await freePort();
  const log = join(bed.home, `${name}.log`);
  const file = openSync(log, 'a');
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      NODE_OPTIONS: process.env['NODE_OPTIONS'],
      NODE_ENV: 'production',
      PORT: String(port),
      ...env,
    },
    stdio: ['ignore', file, file],
  });
  closeSync(file);
  const ended = new Promise<void>((resolveEnd) => child.once('close', () => resolveEnd()));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
  };
  bed.onClose(stop);
  const died = ended.then(async () => {
    throw new Error(`${name} ended with ${child.exitCode}:\n${await readFile(log, 'utf8')}`);
  });
  died.catch(() => undefined);
  const answers = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${port}${ready}`)).ok;
  await Promise.race([until(`${name} answers`, answers, 60_000, ASK_EVERY_MS), died]);
  return { pid: child.pid!, port, stop };
}

/** CPU that a process took so far, ms; with `children`, also those that it has and had. NaN where there is no /proc. */
export async function cpuMs(pid: number, children = false): Promise<number> {
  const stat = await statOf(pid);
  if (!stat) return NaN;
  if (!children) return stat.own * TICK_MS;
  let ticks = stat.own + stat.gone;
  for (const name of await readdir('/proc')) {
    const child = /^\d+$/.test(name) ? await statOf(Number(name)) : null;
    if (child?.parent === pid) ticks += child.own;
  }
  return ticks * TICK_MS;
}

/** Memory of a process that is resident, MB (2^20 bytes). NaN where there is no /proc. */
export async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

/** CPU that children of a process took which have ended, ms. */
export const endedCpuMs = async (pid: number): Promise<number> =>
  ((await statOf(pid))?.gone ?? NaN) * TICK_MS;

/** proc_pid_stat(5): the parent, ticks of its own, and of children that ended. */
async function statOf(pid: number): Promise<{ parent: number; own: number; gone: number } | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (text === null) return null;
  const field = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = (first: number): number => Number(field[first]) + Number(field[first + 1]);
  return { parent: Number(field[1]), own: ticks(11), gone: ticks(13) };
}
