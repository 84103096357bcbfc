import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { lockHolder } from '../../src/platform/database/embedded/file-lock.js';
import { stopPostmaster } from '../../src/platform/database/embedded/postmaster.js';
import { pidExists } from '../../src/platform/database/embedded/process-identity.js';
import { layoutOf, readState, urlFor } from '../../src/platform/database/embedded/state.js';
import { HttpClient } from './http-client.js';
import { scratchRoot } from './scratch.js';

/** The checkout. */
export const ROOT = resolve(import.meta.dirname, '../..');

function startScript(): string {
  const text = readFileSync(join(ROOT, 'package.json'), 'utf8');
  return (JSON.parse(text) as { scripts: { start: string } }).scripts.start;
}

/** The Node that package.json pins: what `npm start` runs. */
const NODE = join(ROOT, 'node_modules/node/bin/node');
/** The arguments of Node in `npm start`: flags, the program. */
export const START = startScript().split(' ').slice(1);
const PREFIX = 'tartware-e2e-';
const READY = 'Ctrl-C drains and stops it.';
const START_TIMEOUT_MS = 60_000;

export type Env = Readonly<Record<string, string>>;

/** How a process ended, with all that it said. */
export interface Ended {
  /** The exit code; a signal's as a shell tells it, 128 and its number (SIGKILL: 137). */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Nothing of the machine's own configuration: only what a test says. */
const cleanEnv = (env: Env): NodeJS.ProcessEnv => ({
  PATH: `${join(ROOT, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}`,
  HOME: process.env['HOME'] ?? '/',
  ...env,
});

const SIGNAL_CODES: Readonly<Partial<Record<NodeJS.Signals, number>>> = {
  SIGINT: 130,
  SIGKILL: 137,
  SIGTERM: 143,
};

/** A process of ours that runs: its words so far, and its end. */
export class Running {
  stdout = '';
  stderr = '';
  readonly ended: Promise<Ended>;
  private readonly listeners = new Set<() => void>();

  constructor(readonly child: ChildProcess) {
    child.stdout?.on('data', (chunk: Buffer) => this.hear('stdout', chunk));
    child.stderr?.on('data', (chunk: Buffer) => this.hear('stderr', chunk));
    this.ended = new Promise((resolveEnd, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        const { stdout, stderr } = this;
        resolveEnd({ code: code ?? SIGNAL_CODES[signal ?? 'SIGKILL'] ?? 128, stdout, stderr });
      });
    });
    // Whoever waits for the end hears of a process that could not be started; nobody has to.
    this.ended.catch(() => undefined);
  }

  get pid(): number {
    return this.child.pid!;
  }

  private hear(stream: 'stdout' | 'stderr', chunk: Buffer): void {
    this[stream] += chunk.toString();
    for (const listener of this.listeners) listener();
  }

  /** Resolves once it has said `words` on either stream. @throws Error with what it said when it ends or is silent too long */
  async says(words: string, withinMs = START_TIMEOUT_MS): Promise<void> {
    const said = (): boolean => this.stdout.includes(words) || this.stderr.includes(words);
    let stop!: () => void;
    const heard = new Promise<'heard'>((resolveHeard) => {
      stop = () => said() && resolveHeard('heard');
    });
    this.listeners.add(stop);
    stop();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolveLate) => {
      timer = setTimeout(() => resolveLate('late'), withinMs);
    });
    const outcome = await Promise.race([heard, late, this.ended.then(() => 'ended' as const)]);
    clearTimeout(timer);
    this.listeners.delete(stop);
    if (outcome !== 'heard' && !said())
      throw new Error(`it never said ${JSON.stringify(words)} (${outcome}):\n${this.stdout}${this.stderr}`);
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<Ended> {
    this.child.kill(signal);
    return this.ended;
  }
}

/** A service that is ready. */
export interface Service extends Running {
  readonly url: string;
  /** Milliseconds from the start of the process to its ready line. */
  readonly readyMs: number;
}

/**
 * A folder with everything of one installation: the service and the command line run there as real processes.
 * `dispose()` ends whatever still runs and removes it, also after a test that failed.
 */
export class Installation {
  private readonly running = new Set<Running>();
  private readonly tokens = new Map<string, Promise<string>>();

  private constructor(
    readonly home: string,
    readonly env: Env,
  ) {}

  /** @param options.disk on a real disk, where times are to be measured; else in memory where there is plenty */
  static async create(env: Env = {}, options: { disk?: boolean } = {}): Promise<Installation> {
    await sweep();
    const home = mkdtempSync(join(options.disk ? tmpdir() : scratchRoot(), `${PREFIX}${process.pid}-`));
    await chmod(home, 0o711);
    return new Installation(home, env);
  }

  private spawn(program: string, args: readonly string[], env: Env, group: boolean): Running {
    const child = spawn(program, args, {
      cwd: ROOT,
      env: cleanEnv({ TARTWARE_HOME: this.home, ...this.env, ...env }),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: group,
    });
    const running = new Running(child);
    this.running.add(running);
    void running.ended.catch(() => undefined).finally(() => this.running.delete(running));
    return running;
  }

  /** As `npm start` runs it, not waited for. `group`: in a process group of its own, as at a terminal. */
  launch(env: Env = {}, options: { group?: boolean } = {}): Running {
    return this.spawn(NODE, START, { PORT: '0', ...env }, options.group === true);
  }

  /** Starts the service and waits until it says that it is ready. */
  async start(env: Env = {}, options: { group?: boolean } = {}): Promise<Service> {
    const begun = performance.now();
    const running = this.launch(env, options);
    await running.says(READY);
    const readyMs = performance.now() - begun;
    const url = /^\s+Health\s+(http:\/\/\S+)\/health\/readiness/m.exec(running.stdout)?.[1];
    if (!url) throw new Error(`no address in:\n${running.stdout}`);
    return Object.assign(running, { url, readyMs });
  }

  /** `tartware …`, not waited for. */
  command(args: readonly string[], env: Env = {}): Running {
    return this.spawn(NODE, [join(ROOT, 'bin/tartware.mjs'), ...args], env, false);
  }

  /** `tartware …` to its end. */
  cli(args: readonly string[], env: Env = {}): Promise<Ended> {
    return this.command(args, env).ended;
  }

  /** `tartware … --json`: the object that it prints. @throws Error with its output unless it ended with 0 */
  async json<T>(args: readonly string[], env: Env = {}): Promise<T> {
    const { code, stdout, stderr } = await this.cli([...args, '--json'], env);
    if (code !== 0) throw new Error(`tartware ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
    return JSON.parse(stdout.trim().split('\n').at(-1)!) as T;
  }

  /** A token by `tartware token issue`; the same one for the same question. */
  token(role = 'manager', tenant = 'demo'): Promise<string> {
    const name = `${role} ${tenant}`;
    let token = this.tokens.get(name);
    if (!token) {
      const args = ['token', 'issue', '--role', role, '--tenant', tenant, '--subject', `e2e-${role}`];
      token = this.json<{ token: string }>(args).then((issued) => issued.token);
      this.tokens.set(name, token);
    }
    return token;
  }

  /** A caller of `service` with that role. */
  async client(service: { readonly url: string }, role = 'manager', tenant = 'demo'): Promise<HttpClient> {
    return new HttpClient(service.url, await this.token(role, tenant));
  }

  /** The embedded database as its superuser: past every wall, for looking and for what no door permits. */
  async superUrl(): Promise<string> {
    const state = await readState(layoutOf(this.home));
    if (!state) throw new Error(`no database yet under ${this.home}`);
    return urlFor(state, 'super', state.port, 'tartware');
  }

  /** The pid of the PostgreSQL server, null when it is not running. */
  async postmaster(): Promise<number | null> {
    const file = join(layoutOf(this.home).data, 'postmaster.pid');
    const text = await readFile(file, 'utf8').catch(() => null);
    const pid = Number(text?.split('\n')[0]);
    return text !== null && pidExists(pid) ? pid : null;
  }

  async dispose(): Promise<void> {
    for (const running of [...this.running]) await running.stop('SIGKILL').catch(() => undefined);
    await removeHome(this.home);
  }
}

async function removeHome(home: string): Promise<void> {
  await stopPostmaster(layoutOf(home));
  // An initdb whose parent was killed may still write for a moment.
  await rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

/** Removes what test runs that were killed left behind. Their pid is in the folder's name. */
async function sweep(): Promise<void> {
  for (const root of new Set([scratchRoot(), tmpdir()]))
    for (const name of readdirSync(root)) {
      const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
      if (!pid || pidExists(Number(pid))) continue;
      const holder = await lockHolder(layoutOf(join(root, name)).lock);
      if (holder) process.kill(holder.pid, 'SIGKILL');
      await removeHome(join(root, name));
    }
}
