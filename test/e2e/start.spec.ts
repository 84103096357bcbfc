import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { openHouse, type FrontDesk } from '../support/front-desk.js';
import { ask, NO_FAULTS, pathFaults, settled } from '../support/house-sql.js';
import { HttpClient, until } from '../support/http-client.js';
import { Installation, type Ended, type Service } from '../support/service.js';

/** Generous, for a machine under load; the times themselves are printed. */
const READY_MS = 30_000;

const tell = (line: string): void => void process.stdout.write(`${line}\n`);

/** What a storm of bookings came to: the external ids that were answered 201. */
interface Storm {
  readonly answered: Set<string>;
  /** Resolves once that many were answered. */
  reaches(count: number): Promise<unknown>;
  /** Resolves when every client has met a closed door. */
  readonly over: Promise<void>;
}

/** Sixteen clients that book, one request after the other, until the service takes no more. */
function storm(desk: FrontDesk, client: HttpClient, name: string): Storm {
  const answered = new Set<string>();
  const one = async (clerk: number): Promise<void> => {
    for (let i = 0; ; i += 1) {
      const externalId = `${name}-${clerk}-${i}`;
      const body = desk.stay((clerk * 7 + i) % 300, 1 + (i % 3), { externalId });
      const answer = await client.post('/v1/reservations', body).catch(() => null);
      if (answer?.status !== 201) {
        // A door that closes says so, or nothing at all; it never fails.
        if (answer && answer.status !== 503) throw new Error(`answered ${answer.status}: ${answer.text}`);
        return;
      }
      answered.add(externalId);
    }
  };
  const over = Promise.all(Array.from({ length: 16 }, (_, clerk) => one(clerk))).then(() => undefined);
  return {
    answered,
    over,
    reaches: (count) => until(`${count} answers`, async () => answered.size >= count),
  };
}

describe('a service, from its first start to its last', () => {
  let inst: Installation;
  let service: Service;
  let token: string;
  let desk: FrontDesk;
  let url: string;

  beforeAll(async () => {
    inst = await Installation.create({}, { disk: true });
  });

  afterAll(() => inst?.dispose());

  const client = (): HttpClient => new HttpClient(service.url, token);

  const startAgain = async (what: string): Promise<void> => {
    service = await inst.start({}, { group: true });
    url = await inst.superUrl();
    tell(`${what}: ready after ${Math.round(service.readyMs)} ms`);
    expect(service.readyMs).toBeLessThan(READY_MS);
  };

  /** External ids of the storm that the database has. */
  const kept = async (name: string): Promise<Set<string>> => {
    const rows = await ask<{ id: string }>(
      url,
      `SELECT external_id AS id FROM reservations WHERE external_id LIKE $1`,
      [`${name}-%`],
    );
    return new Set(rows.map(({ id }) => id));
  };

  const allApplied = async (): Promise<void> => {
    await settled(url);
    expect(await pathFaults(url)).toEqual(NO_FAULTS);
  };

  it('is ready at its first start, and says where things are', async () => {
    await startAgain('first start, on disk');
    for (const words of [
      `${service.url}/v1`,
      `${service.url}/docs`,
      '/health/readiness',
      '/metrics',
      'tartware token issue',
      inst.home,
    ])
      expect(service.stdout).toContain(words);
    token = await inst.token();
  });

  it('serves documentation, probes and metrics to everyone, and the demo property to its token', async () => {
    const anyone = new HttpClient(service.url, null);
    const docs = await anyone.get('/docs');
    expect({ status: docs.status, type: docs.headers.get('content-type') }).toEqual({
      status: 200,
      type: expect.stringContaining('text/html'),
    });
    const openapi = await anyone.get('/docs-json');
    expect(openapi.body).toMatchObject({ openapi: expect.stringMatching(/^3\./) });
    expect(Object.keys(openapi.body.paths)).toContain('/v1/reservations/{id}/lifecycle');
    for (const probe of ['liveness', 'readiness']) {
      const { status, body } = await anyone.get(`/health/${probe}`);
      expect({ probe, status, body }).toEqual({
        probe,
        status: 200,
        body: expect.objectContaining({ status: 'ok', mode: 'all' }),
      });
    }
    const metrics = await anyone.get('/metrics');
    expect(metrics.status).toBe(200);
    expect(metrics.text).toMatch(/^tartware_\w+/m);
    const [demo] = await client().data(200, client().get('/v1/properties'));
    expect(demo).toMatchObject({ code: 'DEMO' });
    desk = await openHouse(client(), 'STORM', 200);
  });

  it('at SIGINT answers what is in flight, keeps and applies it, ends with 0, and leaves no server behind', async () => {
    const bookings = storm(desk, client(), 'drain');
    await bookings.reaches(60);
    const postmaster = await inst.postmaster();
    expect(postmaster).not.toBeNull();
    const asked = performance.now();
    const { code, stderr } = await service.stop('SIGINT');
    const drained = performance.now() - asked;
    await bookings.over;
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'tartware: SIGINT, draining\ntartware: stopped\n' });
    expect(await inst.postmaster()).toBeNull();
    tell(`drained and stopped after ${Math.round(drained)} ms`);
    // A client that keeps its connection alive must not keep the service alive.
    expect(drained).toBeLessThan(15_000);
    await startAgain('second start');
    // Each was answered or never happened.
    expect([...(await kept('drain'))].sort()).toEqual([...bookings.answered].sort());
    await allApplied();
  });

  it('killed under load, leaves PostgreSQL, is taken up by the next start, and every answer holds', async () => {
    const bookings = storm(desk, client(), 'killed');
    await bookings.reaches(60);
    await service.stop('SIGKILL');
    await bookings.over;
    expect(await inst.postmaster()).not.toBeNull();
    await startAgain('start after kill -9');
    const found = await kept('killed');
    expect([...bookings.answered].filter((id) => !found.has(id))).toEqual([]);
    await allApplied();
  });

  it('killed together with PostgreSQL, recovers by itself, and every answer holds', async () => {
    const bookings = storm(desk, client(), 'crash');
    await bookings.reaches(60);
    process.kill((await inst.postmaster())!, 'SIGKILL');
    await service.stop('SIGKILL');
    await bookings.over.catch(() => undefined);
    await startAgain('start after kill -9 of both');
    const found = await kept('crash');
    expect([...bookings.answered].filter((id) => !found.has(id))).toEqual([]);
    await allApplied();
  });

  it('refuses a second copy on its data by naming the first, which serves on', async () => {
    const { code, stdout, stderr } = await inst.launch().ended;
    expect({ code, stdout }).toEqual({ code: 5, stdout: '' });
    expect(stderr).toMatch(
      new RegExp(`^tartware: .*already running on ${inst.home} \\(pid ${service.pid}.*\\n$`),
    );
    expect((await client().get('/health/readiness')).status).toBe(200);
  });

  it('at Ctrl-C, which reaches the whole process group, loses nothing either', async () => {
    const bookings = storm(desk, client(), 'ctrlc');
    await bookings.reaches(60);
    process.kill(-service.pid, 'SIGINT');
    expect((await service.ended).code).toBe(0);
    await bookings.over;
    expect(await inst.postmaster()).toBeNull();
    await startAgain('last start');
    expect([...(await kept('ctrlc'))].sort()).toEqual([...bookings.answered].sort());
    await allApplied();
    expect((await service.stop('SIGTERM')).code).toBe(0);
  });
});

describe('a first start that is killed', () => {
  let inst: Installation;

  beforeAll(async () => {
    inst = await Installation.create();
  });

  afterAll(() => inst?.dispose());

  it('at any of its steps is made good by the next one', async () => {
    const folder = join(inst.home, 'postgres');
    const has = (pattern: RegExp) => async (): Promise<boolean> =>
      existsSync(folder) && readdirSync(folder).some((name) => pattern.test(name));
    const answers = (text: string) => async (): Promise<boolean> =>
      (await ask(await inst.superUrl(), text)).length > 0;
    const steps: readonly (readonly [string, () => Promise<boolean>])[] = [
      ['the folder is there', async () => existsSync(folder)],
      ['the passwords are written', has(/^state\.json$/)],
      ['initdb works on the draft', has(/^data\.init-[0-9a-f]+$/)],
      ['the cluster is in its place', has(/^data$/)],
      ['the server runs', async () => (await inst.postmaster()) !== null],
      ['the first migration is done', answers(`SELECT 1 FROM pg_class WHERE relname = 'tenants'`)],
      ['the tenant is seeded', answers(`SELECT 1 FROM tenants WHERE code = 'demo'`)],
    ];
    for (const [step, reached] of steps) {
      const running = inst.launch();
      await until(step, reached, 60_000, 1);
      expect((await running.stop('SIGKILL')).code).toBe(137);
    }
    const service = await inst.start();
    const manager = await inst.client(service);
    const [demo] = await manager.data(200, manager.get('/v1/properties'));
    const at = `/v1/properties/${demo.id}`;
    const types = await manager.data(200, manager.get(`${at}/room-types`));
    const plans = await manager.data(200, manager.get(`${at}/rate-plans`));
    expect([types.length, plans.length]).toEqual([2, 2]);
    for (const type of types)
      for (const plan of plans) {
        const arrival = demo.businessDate;
        const departure = new Date(Date.parse(arrival) + 86_400_000).toISOString().slice(0, 10);
        const body = {
          propertyId: demo.id,
          roomTypeId: type.id,
          ratePlanId: plan.id,
          arrival,
          departure,
          adults: 2,
        };
        expect(await manager.data(200, manager.post('/v1/reservations/quote', body))).toMatchObject({
          available: true,
        });
      }
    expect((await service.stop()).code).toBe(0);
    expect(readdirSync(folder).filter((name) => name.startsWith('data.'))).toEqual([]);
  });
});

describe('a start that can not be', () => {
  let inst: Installation;
  let squatter: Server | undefined;

  beforeAll(async () => {
    inst = await Installation.create();
  });

  afterEach(() => void squatter?.close());
  afterAll(() => inst?.dispose());

  /** One line, for a person, without a stack. */
  const oneLine = ({ stdout, stderr }: Ended): string => {
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^tartware: [^\n]+\n$/);
    return stderr;
  };

  it('because its port is in use says which and ends with 5, before anything is made', async () => {
    squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { port } = squatter.address() as AddressInfo;
    const ended = await inst.launch({ PORT: String(port) }).ended;
    expect(ended.code).toBe(5);
    expect(oneLine(ended)).toMatch(new RegExp(`port ${port} .*in use.*PORT`));
    expect(readdirSync(inst.home)).toEqual([]);
  });

  it('because its folder can not be written to names the folder and ends with 5', async () => {
    const file = join(inst.home, 'file');
    writeFileSync(file, '');
    const ended = await inst.launch({ TARTWARE_HOME: join(file, 'below') }).ended;
    expect(ended.code).toBe(5);
    expect(oneLine(ended)).toContain(`TARTWARE_HOME ${join(file, 'below')}`);
  });

  it('as api or worker without addresses names those that are missing and ends with 78', async () => {
    const cases: readonly (readonly [Record<string, string>, RegExp])[] = [
      [{ APP_MODE: 'api' }, /DATABASE_URL/],
      [{ APP_MODE: 'worker' }, /DATABASE_WORKER_URL/],
      [{ APP_MODE: 'api', DATABASE_WORKER_URL: 'postgres://x' }, /APP_MODE=api needs DATABASE_URL/],
      [{ APP_MODE: 'worker', DATABASE_URL: 'postgres://x' }, /APP_MODE=worker needs DATABASE_WORKER_URL/],
    ];
    const ends = await Promise.all(cases.map(([env]) => inst.launch(env).ended));
    cases.forEach(([, words], i) => {
      expect(ends[i]!.code).toBe(78);
      expect(oneLine(ends[i]!)).toMatch(words);
    });
  });

  it('for several faults of the environment names each in a line, without repeating a password', async () => {
    const env = { APP_MODE: 'both', PORT: 'high', DATABASE_URL: 'mysql://u:s3cret@db', LOG_LEVEL: 'loud' };
    const { code, stderr } = await inst.launch(env).ended;
    expect(code).toBe(78);
    for (const name of Object.keys(env)) expect(stderr).toContain(name);
    expect(stderr).not.toContain('s3cret');
    expect(stderr.trim().split('\n')).toHaveLength(4);
  });

  it('because its database does not answer says so and ends with 5', async () => {
    const nowhere = 'postgres://tartware_app:s3cret@127.0.0.1:9/tartware';
    const ended = await inst.launch({ APP_MODE: 'api', DATABASE_URL: nowhere }).ended;
    expect(ended.code).toBe(5);
    expect(oneLine(ended)).not.toContain('s3cret');
  });

  it('does not stand in the way of the next one', async () => {
    const service = await inst.start();
    expect((await service.stop()).code).toBe(0);
  });
});
