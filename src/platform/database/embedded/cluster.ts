import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Binaries } from './binaries.js';
import { EmbeddedError } from './embedded-error.js';
import type { ServerUser } from './server-user.js';
import { ROLES, syncFolder, type Layout, type RoleKey, type State } from './state.js';

const DRAFT_PREFIX = 'data.init-';

/** Settings of every embedded server. Nothing but this machine reaches it, and no socket path can be too long. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  timezone: 'UTC',
  log_timezone: 'UTC',
  password_encryption: 'scram-sha-256',
  fsync: 'on',
  synchronous_commit: 'on',
};

/** The files of one database cluster and what is needed to run programs on them. */
export interface Cluster {
  readonly layout: Layout;
  readonly binaries: Binaries;
  readonly user: ServerUser;
  /** Server settings, those of the caller over ours. */
  readonly settings: Readonly<Record<string, string>>;
}

export function makeCluster(
  layout: Layout,
  binaries: Binaries,
  user: ServerUser,
  own?: Cluster['settings'],
): Cluster {
  return { layout, binaries, user, settings: { ...SETTINGS, ...own } };
}

/** PostgreSQL's environment: none of ours, whose PG* variables and locale would change what it does. */
export const SERVER_ENV = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' };

/** `-c name=value` for each setting. */
export const settingArgs = (settings: Cluster['settings']): string[] =>
  Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);

/**
 * Whether the first start came to its end. Missing means missing: a folder that can't be read throws, for what follows
 * a "no" is that the folder is wiped.
 */
export async function isComplete(layout: Layout): Promise<boolean> {
  try {
    await stat(layout.marker);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/**
 * Makes the cluster with its roles and database, in a folder beside its place, and moves it there when all is done: a
 * start that is killed halfway leaves nothing that looks finished.
 */
export async function createCluster(cluster: Cluster, state: State): Promise<void> {
  const { layout, binaries, settings } = cluster;
  await removeDrafts(layout);
  await rm(layout.data, { recursive: true, force: true, maxRetries: 5 });
  const draft = join(layout.root, `${DRAFT_PREFIX}${randomBytes(6).toString('hex')}`);
  await mkdir(draft, { mode: 0o700 });
  await cluster.user.own(draft);
  await initdb(cluster, draft, state);
  await singleUser(cluster, draft, roleStatements(state));
  const marker = join(draft, basename(layout.marker));
  await writeFile(marker, 'initdb, roles and database are complete\n');
  await cluster.user.own(marker);
  // One pass over the files at the end, in place of an fsync for each step: half the time of a first start.
  if (settings['fsync'] === 'on') await run(cluster, binaries.initdb, ['--sync-only', '-D', draft]);
  await rename(draft, layout.data);
  await syncFolder(layout.root);
}

/** Gives every role the passwords of `state`, when state.json was lost or is another cluster's. The server must be down. */
export async function resetPasswords(cluster: Cluster, state: State): Promise<void> {
  const statements = roleKeys().map((key) => `ALTER ROLE ${ROLES[key]} PASSWORD '${state.passwords[key]}'`);
  await singleUser(cluster, cluster.layout.data, statements);
}

const roleKeys = (): RoleKey[] => Object.keys(ROLES) as RoleKey[];

function roleStatements(state: State): string[] {
  const named = roleKeys().filter((key) => key !== 'super');
  return [
    ...named.map(
      (key) =>
        `CREATE ROLE ${ROLES[key]} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD '${state.passwords[key]}'`,
    ),
    `CREATE DATABASE tartware OWNER ${ROLES.owner}`,
  ];
}

/** Left behind by first starts that were killed. An orphaned initdb may still write into one: then it stays until next time. */
async function removeDrafts(layout: Layout): Promise<void> {
  for (const name of await readdir(layout.root))
    if (name.startsWith(DRAFT_PREFIX))
      await rm(join(layout.root, name), { recursive: true, force: true, maxRetries: 5 }).catch(
        () => undefined,
      );
}

async function initdb(cluster: Cluster, data: string, state: State): Promise<void> {
  const passwordFile = `${data}.password`;
  await writeFile(passwordFile, state.passwords.super, { mode: 0o600 });
  try {
    await cluster.user.own(passwordFile);
    await run(cluster, cluster.binaries.initdb, [
      `--pgdata=${data}`,
      `--username=${ROLES.super}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      // PostgreSQL's own collation: the system's changes with its C library, and indexes sorted by the old one go wrong.
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-sync',
      '--no-instructions',
    ]);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** Runs statements without a server: no port, no password, no second start. Passwords pass by stdin, never by arguments. */
async function singleUser(cluster: Cluster, data: string, statements: readonly string[]): Promise<void> {
  const args = [
    '--single',
    '-D',
    data,
    '-c',
    'exit_on_error=on',
    '-c',
    'fsync=off',
    '-c',
    'log_statement=none',
  ];
  await run(
    cluster,
    cluster.binaries.postgres,
    [...args, 'postgres'],
    statements.map((line) => `${line};\n`).join(''),
  );
}

function run(cluster: Cluster, program: string, args: readonly string[], input = ''): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = cluster.user.spawn(program, args, {
      cwd: cluster.layout.root,
      env: SERVER_ENV,
      stdio: 'pipe',
    });
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('error', (cause) =>
      reject(new EmbeddedError(`${program} can't be run: ${cause.message}`, { cause })),
    );
    child.on('close', (code, signal) => {
      if (code === 0) return resolve();
      reject(
        new EmbeddedError(
          `${program} failed (${signal ?? `exit code ${code}`}): ${output.trim().slice(-2000)}`,
        ),
      );
    });
    child.stdin?.on('error', () => undefined); // The exit code tells why it stopped reading.
    child.stdin?.end(input);
  });
}
