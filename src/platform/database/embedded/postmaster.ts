import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { SERVER_ENV, settingArgs, type Cluster } from './cluster.js';
import { EmbeddedError } from './embedded-error.js';
import { commandLine, pidExists } from './process-identity.js';
import { urlFor, type Layout, type State } from './state.js';

const POLL_MS = 10;
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 60_000;
const ANSWER_TIMEOUT_MS = 10_000;
const LOG_LIMIT_BYTES = 20_000_000;

/** A running server. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
}

/** What PostgreSQL writes of itself to `postmaster.pid`. */
interface PidFile extends Postmaster {
  /** `starting`, `ready`, `stopping`; empty in the first moments. */
  readonly status: string;
}

/**
 * The server that runs on this data, once it is ready: after a kill of Node it lives on. One that is stopping is waited
 * for. A pid file left by a dead server stays for PostgreSQL to deal with; one whose pid went to a stranger is removed,
 * since PostgreSQL would take the stranger for itself.
 */
export async function findPostmaster(layout: Layout): Promise<Postmaster | null> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    const file = await readPidFile(layout);
    if (!file || !pidExists(file.pid)) return null;
    if (!(await runsOn(file.pid, layout.data))) {
      await rm(join(layout.data, 'postmaster.pid'), { force: true });
      return null;
    }
    if (file.status === 'ready') return { pid: file.pid, port: file.port };
    if (performance.now() > deadline)
      throw new EmbeddedError(
        `PostgreSQL (pid ${file.pid}) on ${layout.data} is still ${file.status}; see ${layout.log}`,
      );
    await sleep(POLL_MS);
  }
}

/** Starts the server on `wanted`, or, unless `exact`, on another port when that one is taken. */
export async function startPostmaster(cluster: Cluster, wanted: number, exact: boolean): Promise<Postmaster> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  let port = wanted;
  for (;;) {
    if (!exact && !(await isFree(port))) port = await freePort();
    const started = await tryStart(cluster, port, deadline);
    if (typeof started !== 'string') return started;
    const portTaken = /could not bind|Address already in use/.test(started);
    // Backends of a killed server finish what they do before they notice; until then the data is theirs.
    const dataTaken = /shared memory block .* still in use|lock file .* already exists/.test(started);
    if (!(portTaken ? !exact : dataTaken) || performance.now() > deadline)
      throw new EmbeddedError(
        `PostgreSQL didn't start on ${cluster.layout.data}, port ${port}: ${started.trim().slice(-2000)}`,
      );
    if (portTaken) port = await freePort();
    else await sleep(100);
  }
}

/** How a server answered: it is the one of this data; it doesn't take our password; it is another's; it died meanwhile. */
export type Answer = 'ours' | 'password' | 'stranger' | 'gone';

/**
 * Asks the server who it is. A server that was just killed may be found and yet be gone with the first word to it, so a
 * failed connection is final only when its process is.
 * @throws EmbeddedError when it lives but doesn't answer
 */
export async function identify(layout: Layout, state: State, { pid, port }: Postmaster): Promise<Answer> {
  const deadline = performance.now() + ANSWER_TIMEOUT_MS;
  for (;;) {
    try {
      return await ask(layout, urlFor(state, 'super', port, 'postgres'));
    } catch (cause) {
      const code = (cause as { code?: string }).code;
      if (code === '28P01' || code === '28000') return 'password';
      if (!pidExists(pid)) return 'gone';
      if (performance.now() > deadline)
        throw new EmbeddedError(
          `PostgreSQL (pid ${pid}) runs on ${layout.data} but doesn't answer on port ${port}: ${String(cause)}`,
          { cause },
        );
      await sleep(POLL_MS);
    }
  }
}

async function ask(layout: Layout, url: string): Promise<'ours' | 'stranger'> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: ANSWER_TIMEOUT_MS });
  client.on('error', () => undefined); // A server that dies between two lines would end the process.
  try {
    await client.connect();
    const { rows } = await client.query<{ folder: string }>(
      `SELECT current_setting('data_directory') AS folder`,
    );
    return (await sameFolder(rows[0]?.folder ?? '', layout.data)) ? 'ours' : 'stranger';
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Fast shutdown: open transactions are rolled back, everything is on disk when this returns. Nothing to do when it is down. */
export async function stopPostmaster(layout: Layout): Promise<void> {
  const file = await readPidFile(layout);
  if (!file || !pidExists(file.pid) || !(await runsOn(file.pid, layout.data))) return;
  signal(file.pid, 'SIGINT');
  if (await isGone(file.pid, STOP_TIMEOUT_MS)) return;
  // Immediate shutdown: as safe as a loss of power, and the next start recovers.
  signal(file.pid, 'SIGQUIT');
  if (!(await isGone(file.pid, STOP_TIMEOUT_MS)))
    throw new EmbeddedError(`PostgreSQL (pid ${file.pid}) doesn't stop`);
}

/** Answers the log of the attempt when the server went down again. */
async function tryStart(cluster: Cluster, port: number, deadline: number): Promise<Postmaster | string> {
  const { layout } = cluster;
  const log = await openLog(layout);
  try {
    const { size } = await log.stat();
    const child = cluster.user.spawn(
      cluster.binaries.postgres,
      ['-D', layout.data, '-p', String(port), ...settingArgs(cluster.settings)],
      // Its own process group: a Ctrl-C at the terminal is for Node, which drains before it stops the server.
      { cwd: layout.root, env: SERVER_ENV, detached: true, stdio: ['ignore', log.fd, log.fd] },
    );
    let ended = false;
    let failure = '';
    child.on('exit', () => (ended = true));
    child.on('error', (error) => ((ended = true), (failure = error.message)));
    child.unref();
    while (!ended) {
      const file = await readPidFile(layout);
      if (file?.pid === child.pid && file?.status === 'ready') return { pid: file.pid, port };
      if (performance.now() > deadline) {
        child.kill('SIGQUIT');
        throw new EmbeddedError(`PostgreSQL on ${layout.data} wasn't ready in time; see ${layout.log}`);
      }
      await sleep(POLL_MS);
    }
    const { size: end } = await log.stat();
    const text = Buffer.alloc(Math.max(end - size, 0));
    await log.read(text, 0, text.length, size);
    return failure || text.toString();
  } finally {
    await log.close();
  }
}

async function openLog({ log }: Layout): Promise<Awaited<ReturnType<typeof open>>> {
  const size = await stat(log).then(
    (found) => found.size,
    () => 0,
  );
  if (size > LOG_LIMIT_BYTES) await rename(log, `${log}.1`);
  return open(log, 'a+', 0o600);
}

async function readPidFile({ data }: Layout): Promise<PidFile | null> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => null);
  if (text === null) return null;
  const lines = text.split('\n');
  return { pid: Number(lines[0]), port: Number(lines[3]), status: lines[7]?.trim() ?? '' };
}

/** Whether the process is a postgres on this folder, as far as the system tells: a pid is soon another's. */
async function runsOn(pid: number, data: string): Promise<boolean> {
  const [program = '', ...args] = commandLine(pid);
  if (!program.endsWith('postgres')) return false;
  const folder = args[args.indexOf('-D') + 1] ?? '';
  return folder === data || (await sameFolder(folder, data));
}

async function sameFolder(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([a, b].map((path) => stat(path).catch(() => null)));
  return !!one && !!other && one.dev === other.dev && one.ino === other.ino;
}

async function isGone(pid: number, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (pidExists(pid)) {
    if (performance.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** A port of 127.0.0.1 that nobody listens on now. */
export const freePort = (): Promise<number> => listenOnce(0);

const isFree = (port: number): Promise<boolean> =>
  listenOnce(port).then(
    () => true,
    () => false,
  );

function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen({ host: '127.0.0.1', port }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : port));
    });
  });
}
