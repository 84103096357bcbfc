import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../src/platform/database/embedded/postmaster.js';
import { scratchFolder } from './scratch.js';

/** A pooler of its own before one server. */
export interface Pooler {
  /** The same address, through the pooler. */
  through(url: string): string;
  stop(): Promise<void>;
}

/** Whether this machine has one: it comes from the system's packages. */
export const hasPgbouncer = (): boolean => spawnSync('pgbouncer', ['--version']).status === 0;

/** Starts pgbouncer in transaction mode, with fewer server connections than anybody asks for. */
export async function startPgbouncer(urls: readonly string[]): Promise<Pooler> {
  const dir = scratchFolder('tartware-pgbouncer-');
  const port = await freePort();
  const { hostname, port: target } = new URL(urls[0]!);
  const users = urls.map((url) => {
    const { username, password } = new URL(url);
    return `"${username}" "${decodeURIComponent(password)}"`;
  });
  const [ini, list] = [join(dir, 'pgbouncer.ini'), join(dir, 'users.txt')];
  writeFileSync(list, users.join('\n'));
  writeFileSync(
    ini,
    `[databases]
* = host=${hostname} port=${target}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${list}
pool_mode = transaction
default_pool_size = 4
max_client_conn = 200
`,
  );
  chmodSync(dir, 0o755);
  for (const file of [ini, list]) chmodSync(file, 0o644);
  // It refuses to be root.
  const child = spawn('pgbouncer', [...(process.getuid?.() === 0 ? ['-u', 'nobody'] : []), ini], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('process up')) resolve();
    });
    void ended.then(() => reject(new Error(`pgbouncer ended:\n${said}`)));
  });
  return {
    through: (url) => {
      const parsed = new URL(url);
      parsed.host = `127.0.0.1:${port}`;
      return parsed.toString();
    },
    stop: async () => {
      child.kill('SIGINT');
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
