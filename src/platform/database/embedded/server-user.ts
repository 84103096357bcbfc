import { spawn, spawnSync, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chown, stat } from 'node:fs/promises';
import { EmbeddedError } from './embedded-error.js';

const USERS = ['postgres', 'tartware-postgres'];
const CAPABILITIES = [
  { bit: 2n, name: 'dac_read_search' },
  { bit: 1n, name: 'dac_override' },
];

interface Ids {
  readonly uid: number;
  readonly gid: number;
}

/** Runs PostgreSQL's programs as a user they accept: they refuse root, whoever starts them. */
export interface ServerUser {
  spawn(program: string, args: readonly string[], options: SpawnOptions): ChildProcess;
  /** Gives a file or folder to that user. */
  own(path: string): Promise<void>;
}

/**
 * As a normal user: that user. As root: the owner of the data if there is any, else `postgres`, else a system user made
 * for it. Where that user can't enter the folders (a checkout or home below /root), the programs get the one
 * capability that lets them pass, nothing else of root's; data and binaries stay where they are.
 * @throws EmbeddedError when root has no way to run them
 */
export async function serverUser(data: string, root: string, postgres: string): Promise<ServerUser> {
  if (process.getuid?.() !== 0)
    return { spawn: (program, args, options) => spawn(program, args, options), own: async () => undefined };
  const ids = (await dataOwner(data)) ?? findUser() ?? makeUser();
  const own = (path: string): Promise<void> => chown(path, ids.uid, ids.gid);
  const probe = ['-c', 'cd "$1" && test -x "$2"', 'probe', root, postgres];
  const asUser = { uid: ids.uid, gid: ids.gid };
  if (spawnSync('/bin/sh', probe, { ...asUser, stdio: 'ignore' }).status === 0)
    return { own, spawn: (program, args, options) => spawn(program, args, { ...options, ...asUser }) };

  const prefix = capabilityPrefix(ids);
  if (prefix && spawnSync('setpriv', [...prefix, '/bin/sh', ...probe], { stdio: 'ignore' }).status === 0)
    return {
      own,
      spawn: (program, args, options) => spawn('setpriv', [...prefix, program, ...args], options),
    };
  throw new EmbeddedError(
    `PostgreSQL refuses to run as root, and the system user it would run as (uid ${ids.uid}) can't enter ${root} or run ${postgres}: ` +
      'put the checkout and TARTWARE_HOME below folders that every user may enter, or start Tartware as a normal user, or set DATABASE_URL',
  );
}

async function dataOwner(data: string): Promise<Ids | null> {
  const found = await stat(data).catch(() => null);
  return found && found.uid !== 0 ? { uid: found.uid, gid: found.gid } : null;
}

function findUser(): Ids | null {
  // A user must be named in passwd(5): initdb looks itself up there.
  const rows = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  for (const name of USERS) {
    const row = rows.find(([user]) => user === name);
    if (row) return { uid: Number(row[2]), gid: Number(row[3]) };
  }
  return null;
}

function makeUser(): Ids {
  const args = [
    '--system',
    '--user-group',
    '--no-create-home',
    '--home-dir',
    '/nonexistent',
    '--shell',
    '/usr/sbin/nologin',
  ];
  const result = spawnSync('useradd', [...args, USERS[1]!], { encoding: 'utf8' });
  const made = result.status === 0 ? findUser() : null;
  if (made) return made;
  throw new EmbeddedError(
    `PostgreSQL refuses to run as root, and no system user could be made for it (useradd: ${result.error?.message ?? result.stderr.trim()}): ` +
      'start Tartware as a normal user, make a user named postgres, or set DATABASE_URL',
  );
}

/** setpriv(1) arguments that keep one capability over the change of user; containers often lack the narrower one. */
function capabilityPrefix({ uid, gid }: Ids): string[] | null {
  if (process.platform !== 'linux') return null;
  const held = BigInt(
    `0x${/CapEff:\s*([0-9a-f]+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`,
  );
  const capability = CAPABILITIES.find(({ bit }) => (held >> bit) & 1n)?.name;
  if (!capability) return null;
  const keep = [`--inh-caps=-all,+${capability}`, `--ambient-caps=-all,+${capability}`, '--no-new-privs'];
  return [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', ...keep];
}
