import { randomUUID } from 'node:crypto';
import { access, chmod, constants, mkdir, readdir, realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { findBinaries } from './binaries.js';
import { createCluster, isComplete, makeCluster, resetPasswords, type Cluster } from './cluster.js';
import { EmbeddedError } from './embedded-error.js';
import { isLock, lockHolder, tryLock, waitForLock, type FileLock } from './file-lock.js';
import {
  findPostmaster,
  freePort,
  identify,
  startPostmaster,
  stopPostmaster,
  type Postmaster,
} from './postmaster.js';
import { serverUser } from './server-user.js';
import { layoutOf, newState, readState, urlFor, writeState, type Layout, type State } from './state.js';

const GATE_TIMEOUT_MS = 120_000;
const DATABASE = 'tartware';

export interface EmbeddedOptions {
  /** TARTWARE_HOME: everything is written below it. */
  readonly home: string;
  /** Exactly this port of 127.0.0.1. Without it: the one of last time, or a free one. */
  readonly port?: number;
  /** Server settings over ours, such as `fsync: 'off'` in tests. A server that is adopted keeps its own. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A running embedded PostgreSQL. The four addresses lead to the database `tartware`, each with its role's password. */
export interface EmbeddedDatabase {
  /** `tartware_owner`: owns the database; migrations only. */
  readonly ownerUrl: string;
  /** `tartware_app`: owns nothing; the API. */
  readonly appUrl: string;
  /** `tartware_worker`: relay, consumer, maintenance. */
  readonly workerUrl: string;
  /** `postgres`, the superuser: making databases, nothing else. */
  readonly superUrl: string;
  readonly port: number;
  /** Of the postmaster. */
  readonly pid: number;
  /** True when the server was running already: a killed process left it, or a command had started it. */
  readonly adopted: boolean;
  /**
   * Leaves the server; the last process that leaves shuts it down (fast: open transactions are rolled back) and waits for
   * its end. Safe to call twice.
   */
  stop(): Promise<void>;
}

/**
 * Makes (on the first start), adopts or starts PostgreSQL under `home`, for the one service that runs there.
 * @throws EmbeddedError when another service runs on this home, or the server can't be made or started
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedDatabase> {
  const layout = await prepareHome(options.home);
  const lock = await tryLock(layout.lock);
  if (isLock(lock)) return enter(layout, lock, options);
  const state = await readState(layout);
  const port = state ? `on port ${state.port}` : 'making its database';
  throw new EmbeddedError(
    `Tartware is already running on ${layout.home} (pid ${lock.pid}, PostgreSQL ${port}): stop it, or set another TARTWARE_HOME`,
  );
}

/**
 * For a command beside the service or without it: uses the server that runs, else starts it. Needs no lock and any number
 * may join; whoever started it, it runs as long as somebody uses it.
 * @throws EmbeddedError when the server can't be made or started
 */
export async function joinEmbedded(home: string): Promise<EmbeddedDatabase> {
  const layout = await prepareHome(home);
  const ticket = await tryLock(join(layout.users, randomUUID()));
  if (!isLock(ticket)) throw new EmbeddedError('a random name was taken');
  return enter(layout, ticket, { home });
}

/** Brings the server up for the holder of `membership` (the lock, or a ticket of its own). */
async function enter(
  layout: Layout,
  membership: FileLock,
  options: EmbeddedOptions,
): Promise<EmbeddedDatabase> {
  try {
    const { server, state, adopted } = await throughGate(layout, () => ensureRunning(layout, options));
    let leaving: Promise<void> | null = null;
    return {
      ownerUrl: urlFor(state, 'owner', server.port, DATABASE),
      appUrl: urlFor(state, 'app', server.port, DATABASE),
      workerUrl: urlFor(state, 'worker', server.port, DATABASE),
      superUrl: urlFor(state, 'super', server.port, DATABASE),
      port: server.port,
      pid: server.pid,
      adopted,
      stop: () => (leaving ??= leave(layout, membership)),
    };
  } catch (error) {
    await membership.release();
    if (error instanceof EmbeddedError) throw error;
    throw new EmbeddedError(`the embedded PostgreSQL under ${layout.home} failed: ${String(error)}`, {
      cause: error,
    });
  }
}

async function leave(layout: Layout, membership: FileLock): Promise<void> {
  await throughGate(layout, async () => {
    await membership.release();
    if (!(await isUsed(layout))) await stopPostmaster(layout);
  });
}

/** Whether a living process, be it this one, still counts on the server. */
async function isUsed(layout: Layout): Promise<boolean> {
  if (await lockHolder(layout.lock)) return true;
  for (const name of await readdir(layout.users)) if (await lockHolder(join(layout.users, name))) return true;
  return false;
}

/** One process at a time decides whether the server is to start or to stop: else one stops what another just joined. */
async function throughGate<T>(layout: Layout, work: () => Promise<T>): Promise<T> {
  const gate = await waitForLock(layout.gate, GATE_TIMEOUT_MS);
  if (!isLock(gate))
    throw new EmbeddedError(
      `another process (pid ${gate.pid}) doesn't finish starting or stopping the database of ${layout.home}`,
    );
  try {
    return await work();
  } finally {
    await gate.release();
  }
}

interface Running {
  readonly server: Postmaster;
  readonly state: State;
  readonly adopted: boolean;
}

async function ensureRunning(layout: Layout, options: EmbeddedOptions): Promise<Running> {
  const binaries = await findBinaries();
  const user = await serverUser(layout.data, layout.root, binaries.postgres);
  const cluster = makeCluster(layout, binaries, user, options.settings);
  const state = await ensureCluster(cluster);
  const found = await findPostmaster(layout);
  let server = found ?? (await start(cluster, state, options));
  let answer = await identify(layout, state, server);
  if (answer === 'password') {
    // state.json is not this cluster's, say a copied folder. Whoever may write the data may set its passwords.
    await stopPostmaster(layout);
    await resetPasswords(cluster, state);
  }
  if (answer === 'password' || answer === 'gone') {
    server = await start(cluster, state, options);
    answer = await identify(layout, state, server);
  }
  if (answer !== 'ours')
    throw new EmbeddedError(
      `the PostgreSQL on port ${server.port} is not the one of ${layout.data} (${answer}); see ${layout.log}`,
    );
  const current = { ...state, port: server.port };
  if (server.port !== state.port) await writeState(layout, current);
  return { server, state: current, adopted: server === found };
}

/** The finished cluster's passwords; makes the cluster when it isn't finished, and new passwords when they are lost. */
async function ensureCluster(cluster: Cluster): Promise<State> {
  const { layout } = cluster;
  const complete = await isComplete(layout);
  const known = complete ? await readState(layout) : null;
  if (known) return known;
  // A server can run here only when somebody deleted files under it.
  await stopPostmaster(layout);
  const state = newState(await freePort());
  if (complete) await resetPasswords(cluster, state);
  // Before the cluster is in its place: a finished cluster always has its passwords.
  await writeState(layout, state);
  if (!complete) await createCluster(cluster, state);
  return state;
}

const start = (cluster: Cluster, state: State, { port }: EmbeddedOptions): Promise<Postmaster> =>
  startPostmaster(cluster, port ?? state.port, port !== undefined);

/** Makes the folders. The server's user must be able to pass through those that we make, and may write none but its data. */
async function prepareHome(home: string): Promise<Layout> {
  const wanted = resolve(home);
  try {
    const made = await mkdir(wanted, { recursive: true });
    if (made) await chmod(wanted, 0o711);
    const layout = layoutOf(await realpath(wanted));
    if (await mkdir(layout.root, { recursive: true })) await chmod(layout.root, 0o711);
    await mkdir(layout.users, { recursive: true, mode: 0o700 });
    for (const folder of [layout.home, layout.root, layout.users])
      await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return layout;
  } catch (cause) {
    throw new EmbeddedError(`TARTWARE_HOME ${wanted} can't be written to: ${(cause as Error).message}`, {
      cause,
    });
  }
}
