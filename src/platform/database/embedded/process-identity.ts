import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A process as the operating system knows it: the pid alone is given to a stranger after a restart. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in the system's own words; empty where that can't be read. */
  readonly startedAt: string;
}

/** This process. */
export const ownIdentity = (): ProcessIdentity => ({ pid: process.pid, startedAt: startOf(process.pid) });

/** Whether exactly this process still runs. A zombie, dead but not yet reaped, doesn't. */
export function isAlive(identity: ProcessIdentity): boolean {
  if (!pidExists(identity.pid)) return false;
  const startedAt = startOf(identity.pid);
  return startedAt === identity.startedAt || startedAt === '' || identity.startedAt === '';
}

/** Whether any process has this pid, be it another user's. */
export function pidExists(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return procStat(pid)?.[0] !== 'Z';
}

/** Program and arguments of a process; empty when there is none or they can't be read. */
export function commandLine(pid: number): string[] {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })
      .trim()
      .split(' ');
  } catch {
    return [];
  }
}

function startOf(pid: number): string {
  if (process.platform === 'linux') {
    // Field 22: clock ticks since boot. The boot's id makes it unique over reboots, where ticks begin anew.
    const ticks = procStat(pid)?.[19];
    return ticks ? `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${ticks}` : '';
  }
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

/** The fields of /proc/<pid>/stat from the third (the state) on: the second may hold blanks and parentheses. */
function procStat(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}
