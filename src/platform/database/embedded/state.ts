import { randomBytes } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Folders and files under TARTWARE_HOME. */
export interface Layout {
  readonly home: string;
  /** Held by the one service that runs on this home. */
  readonly lock: string;
  readonly root: string;
  readonly data: string;
  /** Inside the data folder, so that a copy or backup of a finished cluster is known as finished. */
  readonly marker: string;
  readonly state: string;
  readonly log: string;
  /** Held while the server is being started or stopped, never longer. */
  readonly gate: string;
  /** One file for each process that joined without the lock. */
  readonly users: string;
}

export function layoutOf(home: string): Layout {
  const root = join(home, 'postgres');
  const data = join(root, 'data');
  return {
    home,
    lock: join(home, 'lock'),
    root,
    data,
    marker: join(data, 'TARTWARE_COMPLETE'),
    state: join(root, 'state.json'),
    log: join(root, 'postgres.log'),
    gate: join(root, 'gate'),
    users: join(root, 'users'),
  };
}

/** The roles of the cluster and what each is for. */
export const ROLES = {
  super: 'postgres',
  owner: 'tartware_owner',
  app: 'tartware_app',
  worker: 'tartware_worker',
} as const;

export type RoleKey = keyof typeof ROLES;

/** What must outlive the process: the port last used and the passwords. */
export interface State {
  readonly port: number;
  readonly passwords: Readonly<Record<RoleKey, string>>;
}

/** New random passwords. Hexadecimal, so that they need no quoting in SQL or in a URL. */
export function newState(port: number): State {
  const secret = (): string => randomBytes(24).toString('hex');
  return { port, passwords: { super: secret(), owner: secret(), app: secret(), worker: secret() } };
}

/**
 * The stored state, or null when there is none that can be used.
 * @throws Error of the file system when it is there but can't be read: another user's passwords are not to be replaced
 */
export async function readState(layout: Layout): Promise<State | null> {
  const text = await readFile(layout.state, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  try {
    const state = JSON.parse(text) as State;
    const whole = Object.keys(ROLES).every((key) => /^[0-9a-f]{32,}$/.test(state.passwords[key as RoleKey]));
    return whole && Number.isInteger(state.port) ? state : null;
  } catch {
    return null;
  }
}

/** Replaces the stored state as a whole, readable by its owner only, and waits until the disk has it. */
export async function writeState(layout: Layout, state: State): Promise<void> {
  const draft = `${layout.state}.tmp`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(JSON.stringify(state, null, 2));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, layout.state);
  await syncFolder(dirname(layout.state));
}

/** Makes a rename in the folder outlive a loss of power. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The address of `database` for a role. */
export function urlFor(state: State, role: RoleKey, port: number, database: string): string {
  return `postgresql://${ROLES[role]}:${state.passwords[role]}@127.0.0.1:${port}/${database}`;
}
