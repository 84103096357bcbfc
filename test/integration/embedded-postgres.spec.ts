import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { watch } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import {
  joinEmbedded,
  startEmbedded,
  type EmbeddedDatabase,
} from '../../src/platform/database/embedded/embedded-postgres.js';
import { EmbeddedError } from '../../src/platform/database/embedded/embedded-error.js';
import { stopPostmaster } from '../../src/platform/database/embedded/postmaster.js';
import { pidExists } from '../../src/platform/database/embedded/process-identity.js';
import { layoutOf } from '../../src/platform/database/embedded/state.js';
import { startChild, type Child } from '../support/child.js';
import { scratchFolder } from '../support/scratch.js';

type Told = EmbeddedDatabase & { by: number; name?: string; message?: string };

let home: string;
let children: Child[];
/** A home whose first start is done: copying it saves most tests a second. */
let ready: string;

beforeAll(async () => {
  ready = scratchFolder('tartware-embedded-');
  await (await startEmbedded({ home: ready, settings: { fsync: 'off' } })).stop();
});

afterAll(() => rmSync(ready, { recursive: true, force: true }));

beforeEach(() => {
  home = scratchFolder('tartware-embedded-');
  children = [];
});

afterEach(async () => {
  for (const child of children) await child.end('SIGKILL');
  await stopPostmaster(layoutOf(home));
  rmSync(home, { recursive: true, force: true });
});

/** Makes `home` one whose first start lies behind it. */
const copyReady = (): void => void execFileSync('cp', ['-a', `${ready}/.`, home]);

function child(verb: 'start' | 'join'): Child {
  const made = startChild('embedded', [verb, home]);
  children.push(made);
  return made;
}

async function query<T extends pg.QueryResultRow>(url: string, sql: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<T>(sql)).rows;
  } finally {
    await client.end();
  }
}

describe('the first start', () => {
  it('makes the three roles, none of which passes row-level security, and takes less than 5 s; the next less than 1 s', async () => {
    const begun = performance.now();
    const database = await startEmbedded({ home });
    expect(performance.now() - begun).toBeLessThan(5000);
    const roles = await query(
      database.superUrl,
      `SELECT rolname, rolcanlogin, rolsuper, rolbypassrls, rolpassword ~ '^SCRAM-SHA-256' AS scram
         FROM pg_authid WHERE rolname LIKE 'tartware%' ORDER BY 1`,
    );
    const ordinary = { rolcanlogin: true, rolsuper: false, rolbypassrls: false, scram: true };
    expect(roles).toEqual(
      ['tartware_app', 'tartware_owner', 'tartware_worker'].map((rolname) => ({ rolname, ...ordinary })),
    );
    for (const url of [database.appUrl, database.workerUrl])
      await expect(query(url, 'CREATE TABLE public.mine (id int)')).rejects.toThrow('permission denied');
    await query(database.ownerUrl, 'CREATE EXTENSION btree_gist');
    await query(database.ownerUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await database.stop();
    expect(pidExists(database.pid)).toBe(false);

    const again = performance.now();
    const second = await startEmbedded({ home });
    expect(performance.now() - again).toBeLessThan(1000);
    expect(second).toMatchObject({ adopted: false, port: database.port, ownerUrl: database.ownerUrl });
    expect(await query(second.ownerUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    await second.stop();
  });

  it('listens on this machine only, with durable commits, and keeps its passwords to itself', async () => {
    const database = await startEmbedded({ home });
    const settings = await query<{ name: string; setting: string }>(
      database.superUrl,
      `SELECT name, setting FROM pg_settings
        WHERE name IN ('listen_addresses', 'unix_socket_directories', 'fsync', 'synchronous_commit', 'full_page_writes')`,
    );
    expect(Object.fromEntries(settings.map(({ name, setting }) => [name, setting]))).toEqual({
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      fsync: 'on',
      synchronous_commit: 'on',
      full_page_writes: 'on',
    });
    const layout = layoutOf(home);
    expect(statSync(layout.state).mode & 0o777).toBe(0o600);
    const { pid, ownerUrl } = database;
    const told = `${readFileSync(layout.log, 'utf8')}${readFileSync(`/proc/${pid}/cmdline`, 'utf8')}`;
    expect(told).not.toContain(new URL(ownerUrl).password);
    await database.stop();
  });

  it('that was killed halfway is done over, without a trace of the first try', async () => {
    const { root, data } = layoutOf(home);
    mkdirSync(root, { mode: 0o755 });
    // The draft's password file appears when initdb is about to run.
    const begun = appears(root, /^data\.init-.*\.password$/);
    const half = child('start');
    await begun;
    await half.end('SIGKILL');
    expect(existsSync(data)).toBe(false);

    const database = await startEmbedded({ home });
    expect(await query(database.appUrl, 'SELECT current_user')).toEqual([{ current_user: 'tartware_app' }]);
    await database.stop();
    const second = await startEmbedded({ home });
    await second.stop();
    expect(readdirSync(root).filter((name) => name.startsWith('data.')).length).toBeLessThanOrEqual(1);
  });

  it('wipes a cluster without the completion marker', async () => {
    const { data } = layoutOf(home);
    mkdirSync(join(data, 'global'), { recursive: true });
    writeFileSync(join(data, 'PG_VERSION'), '18\n');
    const database = await startEmbedded({ home });
    expect(await query(database.ownerUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await database.stop();
  });

  it('is never repeated over a finished cluster, even when its passwords are lost', async () => {
    copyReady();
    const first = await startEmbedded({ home });
    await query(first.ownerUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();
    const { state } = layoutOf(home);
    const old = readFileSync(state, 'utf8');

    rmSync(state);
    const lost = await startEmbedded({ home });
    expect(await query(lost.ownerUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    await lost.stop();

    writeFileSync(state, old);
    const foreign = await startEmbedded({ home });
    expect(await query(foreign.ownerUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    await foreign.stop();
  });
});

describe('after a kill', () => {
  beforeEach(copyReady);

  it('of Node, the next start adopts the server that lives on, with its data and its port', async () => {
    const killed = child('start');
    const first = await killed.line<Told>();
    await query(first.ownerUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await killed.end('SIGKILL');
    expect(pidExists(first.pid)).toBe(true);

    const database = await startEmbedded({ home });
    expect(database).toMatchObject({ adopted: true, pid: first.pid, port: first.port });
    expect(await query(database.ownerUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    await database.stop();
    expect(pidExists(first.pid)).toBe(false);
  });

  it('of Node and server, the next start recovers what was committed', async () => {
    const killed = child('start');
    const first = await killed.line<Told>();
    await query(first.ownerUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await killed.end('SIGKILL');
    process.kill(first.pid, 'SIGKILL');

    const database = await startEmbedded({ home });
    expect(database.adopted).toBe(false);
    expect(await query(database.ownerUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    await database.stop();
  });

  it('a pid file whose pid went to a stranger is no server, and the stranger is left alone', async () => {
    const first = await startEmbedded({ home });
    const pidFile = readFileSync(join(layoutOf(home).data, 'postmaster.pid'), 'utf8');
    await first.stop();
    const stranger = spawn('sleep', ['600'], {
      stdio: 'ignore',
      ...(process.getuid?.() === 0 ? serverIds() : {}),
    });
    try {
      writeFileSync(
        join(layoutOf(home).data, 'postmaster.pid'),
        pidFile.replace(/^\d+/, String(stranger.pid)),
      );
      const database = await startEmbedded({ home });
      expect(database.adopted).toBe(false);
      await database.stop();
      expect(pidExists(stranger.pid!)).toBe(true);
    } finally {
      stranger.kill('SIGKILL');
    }
  });

  it('a port taken by somebody else meanwhile is given up for another, which is remembered', async () => {
    const first = await startEmbedded({ home });
    await first.stop();
    const squatter = createServer().listen(first.port, '127.0.0.1');
    const database = await startEmbedded({ home });
    expect(database.port).not.toBe(first.port);
    await database.stop();
    await new Promise((resolve) => squatter.close(resolve));
    const third = await startEmbedded({ home });
    expect(third.port).toBe(database.port);
    await third.stop();
  });
});

describe('a port that was asked for', () => {
  beforeEach(copyReady);

  it('is taken, and when somebody else has it, that is an error and no other port', async () => {
    const squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { port } = squatter.address() as AddressInfo;
    await expect(startEmbedded({ home, port })).rejects.toThrow(`port ${port}`);
    await new Promise((resolve) => squatter.close(resolve));
    const database = await startEmbedded({ home, port });
    expect(database.port).toBe(port);
    await database.stop();
  });
});

describe('a second copy', () => {
  beforeEach(copyReady);

  it('is refused with the pid and the port of the first', async () => {
    const first = await child('start').line<Told>();
    await expect(startEmbedded({ home })).rejects.toThrow(
      new EmbeddedError(
        `Tartware is already running on ${home} (pid ${first.by}, PostgreSQL on port ${first.port}): stop it, or set another TARTWARE_HOME`,
      ),
    );
  });

  it('is refused inside one process, too', async () => {
    const database = await startEmbedded({ home });
    await expect(startEmbedded({ home })).rejects.toThrow(`pid ${process.pid}`);
    await database.stop();
  });

  it('of two that start at once, one wins', async () => {
    const told = await Promise.all([child('start').line<Told>(), child('start').line<Told>()]);
    expect(told.map(({ name }) => name ?? 'won').sort()).toEqual(['EmbeddedError', 'won']);
  });

  it("takes over the lock of a process that died, or whose pid is another's now", async () => {
    const first = child('start');
    const { by } = await first.line<Told>();
    await first.end('SIGKILL');
    expect(JSON.parse(readFileSync(layoutOf(home).lock, 'utf8'))).toMatchObject({ pid: by });
    writeFileSync(
      layoutOf(home).lock,
      JSON.stringify({ pid: process.pid, startedAt: 'another boot/1', nonce: 'n' }),
    );
    const database = await startEmbedded({ home });
    await database.stop();
    expect(existsSync(layoutOf(home).lock)).toBe(false);
  });

  it('of eight that find one stale lock, one takes it', async () => {
    writeFileSync(layoutOf(home).lock, '{"pid": 0}');
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => startEmbedded({ home })));
    const won = results.filter((result) => result.status === 'fulfilled');
    expect(won).toHaveLength(1);
    await won[0]!.value.stop();
  });
});

describe('joining', () => {
  beforeEach(copyReady);

  it('uses the running server without the lock, and leaves it running', async () => {
    const database = await startEmbedded({ home });
    const joined = await joinEmbedded(home);
    expect(joined).toMatchObject({ adopted: true, pid: database.pid, appUrl: database.appUrl });
    await joined.stop();
    await joined.stop();
    expect(pidExists(database.pid)).toBe(true);
    await database.stop();
    expect(pidExists(database.pid)).toBe(false);
  });

  it('starts the server when there is none, and stops it', async () => {
    const joined = await joinEmbedded(home);
    expect(joined.adopted).toBe(false);
    await joined.stop();
    expect(pidExists(joined.pid)).toBe(false);
  });

  it('never stops the server under a service that started after the command did, nor under another command', async () => {
    const first = child('join');
    const { pid } = await first.line<Told>();
    const service = child('start');
    expect(await service.line<Told>()).toMatchObject({ adopted: true, pid });
    const second = child('join');
    await second.line<Told>();
    await first.end('SIGTERM');
    expect(pidExists(pid)).toBe(true);
    await service.end('SIGTERM');
    expect(pidExists(pid)).toBe(true);
    await second.end('SIGTERM');
    expect(pidExists(pid)).toBe(false);
  });

  it('of six commands at once starts one server, and the last to leave stops it', async () => {
    const joined = await Promise.all(Array.from({ length: 6 }, () => joinEmbedded(home)));
    expect(new Set(joined.map(({ pid }) => pid)).size).toBe(1);
    expect(joined.filter(({ adopted }) => !adopted)).toHaveLength(1);
    await Promise.all(joined.map((each) => each.stop()));
    expect(pidExists(joined[0]!.pid)).toBe(false);
    expect(readdirSync(layoutOf(home).users)).toEqual([]);
  });
});

describe('stop()', () => {
  beforeEach(copyReady);

  it('rolls back what is open and waits until the postmaster is gone', async () => {
    const database = await startEmbedded({ home });
    const client = new pg.Client({ connectionString: database.ownerUrl });
    client.on('error', () => undefined); // The server ends the connection: that is what is tested.
    await client.connect();
    await client.query('BEGIN; CREATE TABLE open_work (id int)');
    await database.stop();
    expect(pidExists(database.pid)).toBe(false);
    expect(existsSync(join(layoutOf(home).data, 'postmaster.pid'))).toBe(false);
    await client.end();
  });

  it('is the only thing that stops the server: Ctrl-C reaches another process group', async () => {
    const database = await startEmbedded({ home });
    const groupOf = (pid: number): string =>
      execFileSync('ps', ['-o', 'pgid=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    expect(groupOf(database.pid)).toBe(String(database.pid));
    expect(groupOf(database.pid)).not.toBe(groupOf(process.pid));
    await database.stop();
  });
});

describe('a home that cannot be used', () => {
  it('is named in the error', async () => {
    const file = join(home, 'file');
    writeFileSync(file, '');
    await expect(startEmbedded({ home: join(file, 'below') })).rejects.toThrow(
      expect.objectContaining({
        name: 'EmbeddedError',
        message: expect.stringContaining(`TARTWARE_HOME ${file}/below can't be written to`),
      }),
    );
  });

  it('is named when the folder belongs to somebody else', async () => {
    chmodSync(home, 0o555);
    const ids = process.getuid?.() === 0 ? serverIds() : {};
    const told = await startChild('embedded', ['start', home], ids).line<Told>();
    expect(told).toMatchObject({
      name: 'EmbeddedError',
      message: expect.stringContaining(`TARTWARE_HOME ${home} can't be written to`),
    });
    chmodSync(home, 0o755);
  });
});

const asRoot = process.getuid?.() === 0 ? it : it.skip;

describe('users', () => {
  asRoot('a normal user runs it as himself', async () => {
    const ids = serverIds();
    chownSync(home, ids.uid, ids.gid);
    const normal = startChild('embedded', ['start', home], ids);
    children.push(normal);
    const told = await normal.line<Told>();
    expect(told).toMatchObject({ adopted: false });
    expect(statSync(`/proc/${told.pid}`).uid).toBe(ids.uid);
    await normal.end('SIGTERM');
    expect(pidExists(told.pid)).toBe(false);
  });

  asRoot('a finished cluster that he may not look into is refused, not wiped', async () => {
    const ids = serverIds();
    copyReady();
    execFileSync('chown', ['-R', `${ids.uid}:${ids.gid}`, home]);
    const { data, marker, state } = layoutOf(home);
    const passwords = readFileSync(state, 'utf8');
    chmodSync(data, 0o000);
    const told = await startChild('embedded', ['start', home], ids).line<Told>();
    expect(told).toMatchObject({
      name: 'EmbeddedError',
      message: expect.stringContaining('permission denied'),
    });
    expect(existsSync(marker)).toBe(true);
    expect(readFileSync(state, 'utf8')).toBe(passwords);
  });

  asRoot("root runs it as another, even in a folder that one can't enter", async () => {
    chmodSync(home, 0o700);
    const database = await startEmbedded({ home: join(home, 'below') });
    expect(statSync(`/proc/${database.pid}`).uid).not.toBe(0);
    expect(await query(database.appUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await database.stop();
  });
});

/** A user that is not root and is known to the system: `postgres` where there is one, else `nobody`. */
function serverIds(): { uid: number; gid: number } {
  const rows = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const row = rows.find(([name]) => name === 'postgres') ?? rows.find(([name]) => name === 'nobody');
  return { uid: Number(row?.[2]), gid: Number(row?.[3]) };
}

/** Resolves once a file of that name is made in the folder. */
async function appears(folder: string, pattern: RegExp): Promise<void> {
  for await (const { filename } of watch(folder)) if (pattern.test(filename ?? '')) return;
}
