import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { DataSource } from 'typeorm';
import { openDataSource } from '../../src/platform/database/data-source.js';
import { sql } from '../../src/platform/database/sql.js';
import { isUnavailable } from '../../src/platform/database/sqlstate.js';
import { BackgroundWork, UnitOfWork } from '../../src/platform/database/unit-of-work.js';
import { PLATFORM_TENANT_ID } from '../../src/platform/kernel/ids.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { createHouse } from '../support/fixtures.js';

const ONE = sql('test.one', 'SELECT 1 AS one');
const BACKEND = sql('test.backend', 'SELECT pg_backend_pid() AS pid');
const FAIL = sql('test.fail', 'SELECT 1 / 0');
const TENANT = sql('test.tenant', `SELECT current_setting('app.tenant_id', true) AS tenant`);
const INSERT = sql(
  'test.insert',
  `INSERT INTO tenants (tenant_id, code, name) VALUES (gen_random_uuid(), $1, 'x')`,
);
const COUNT = sql('test.count', `SELECT count(*)::int AS count FROM tenants WHERE code = $1`);

describe('a transaction', () => {
  const scope = { tenantId: PLATFORM_TENANT_ID };
  let db: TestDatabase;
  let source: DataSource;
  let uow: UnitOfWork;
  let admin: pg.Client;
  // A rejection that nobody handles fails the test that leaves it: Jest sees to that.

  beforeAll(async () => {
    db = await createTestDatabase();
    source = await openDataSource(db.appUrl, { poolSize: 1, applicationName: 'uow-test', entities: [] });
    uow = new UnitOfWork(source);
    admin = new pg.Client({ connectionString: db.superUrl });
    await admin.connect();
  });

  afterAll(async () => {
    await admin.end();
    await source.destroy();
    await db.drop();
  });

  /** The error of work that must fail. */
  const failureOf = async (work: Promise<unknown>): Promise<unknown> => {
    try {
      await work;
    } catch (error) {
      return error;
    }
    throw new Error('it succeeded');
  };
  /** The backend of the pool's connection; one that was killed a moment ago may fail once more before the pool knows. */
  const backendOf = async (tries = 5): Promise<number> => {
    try {
      const [row] = await uow.run(scope, 'test.backend', (tx) => tx.query<{ pid: number }>(BACKEND, []));
      return row!.pid;
    } catch (error) {
      if (!isUnavailable(error) || tries === 1) throw error;
      return backendOf(tries - 1);
    }
  };
  const countOf = async (code: string): Promise<number> =>
    (await uow.run(scope, 'test.count', (tx) => tx.query<{ count: number }>(COUNT, [code])))[0]!.count;

  it('whose connection dies in the midst fails as unavailable, and the next one gets another connection', async () => {
    const failure = await failureOf(
      uow.run(scope, 'test.killed', async (tx) => {
        const [backend] = await tx.query<{ pid: number }>(BACKEND, []);
        await admin.query('SELECT pg_terminate_backend($1)', [backend!.pid]);
        return tx.query(ONE, []);
      }),
    );
    expect(isUnavailable(failure)).toBe(true);
    expect(await backendOf()).toBeGreaterThan(0);
  });

  it('whose connection is dead when it begins fails as unavailable or gets another, and leaves no rejection unhandled', async () => {
    for (let round = 0; round < 10; round++) {
      const pid = await backendOf();
      // Not awaited: the connection has to die between the pool's look at it and BEGIN, at one time or another.
      const killing = admin.query('SELECT pg_terminate_backend($1)', [pid]);
      const outcomes = await Promise.allSettled([
        uow.run(scope, 'test.begin', (tx) => tx.query(ONE, [])),
        killing,
      ]);
      const [run] = outcomes;
      if (run.status === 'rejected') expect(isUnavailable(run.reason)).toBe(true);
    }
    expect(await backendOf()).toBeGreaterThan(0);
  });

  it('whose connection is dead when it begins lets no statement of its work run', async () => {
    const dead = new UnitOfWork(source);
    const { master: pool } = source.driver as unknown as { master: pg.Pool };
    const client = await pool.connect();
    (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    client.release();
    const failure = await failureOf(dead.run(scope, 'test.dead', (tx) => tx.query(INSERT, ['dead'])));
    expect(isUnavailable(failure)).toBe(true);
    expect(await countOf('dead')).toBe(0);
  });

  it('takes back everything when a statement fails, also those that were sent with it', async () => {
    const failure = await failureOf(
      uow.run(scope, 'test.fail', (tx) =>
        Promise.all([tx.query(INSERT, ['before']), tx.query(FAIL, []), tx.query(INSERT, ['after'])]),
      ),
    );
    expect((failure as { code?: string }).code).toBe('22012');
    expect([await countOf('before'), await countOf('after')]).toEqual([0, 0]);
  });

  it('refuses a statement of a branch that outlives it: it would be written by itself', async () => {
    let release = (): void => undefined;
    const over = new Promise<void>((resolve) => (release = resolve));
    let straggler: Promise<unknown> | null = null;
    await failureOf(
      uow.run(scope, 'test.straggler', (tx) => {
        straggler = over.then(() => tx.query(INSERT, ['straggler']));
        return tx.query(FAIL, []);
      }),
    );
    release();
    expect(String(await failureOf(straggler!))).toContain('comes after the end of its transaction');
    expect(await countOf('straggler')).toBe(0);
  });

  it('takes back everything when its work throws', async () => {
    const thrown = new Error('no');
    const failure = await failureOf(
      uow.run(scope, 'test.throw', async (tx) => {
        await tx.query(INSERT, ['thrown']);
        throw thrown;
      }),
    );
    expect(failure).toBe(thrown);
    expect(await countOf('thrown')).toBe(0);
  });

  it('runs again, whole, after a serialization failure, and calls back once, after the commit', async () => {
    let tries = 0;
    let called = 0;
    const result = await uow.run(scope, 'test.retry', async (tx) => {
      tx.afterCommit(() => called++);
      await tx.query(INSERT, ['retried']);
      if (++tries < 3) throw Object.assign(new Error('serialization'), { code: '40001' });
      return tries;
    });
    expect([result, called, await countOf('retried')]).toEqual([3, 1, 1]);
  });

  it('is durable with the statement that concludes it, and takes no other after it', async () => {
    let called = 0;
    let late: unknown;
    await uow.run(scope, 'test.conclude', async (tx) => {
      tx.afterCommit(() => called++);
      await tx.query(INSERT, ['begun']);
      await tx.conclude(INSERT, ['concluded']);
      const { rows } = await admin.query<{ code: string }>(
        `SELECT code FROM tenants WHERE code IN ('begun', 'concluded') ORDER BY 1`,
      );
      expect(rows.map(({ code }) => code)).toEqual(['begun', 'concluded']);
      late = await failureOf(tx.query(INSERT, ['late']));
      expect(String(await failureOf(tx.conclude(INSERT, ['late'])))).toBe(String(late));
    });
    expect(String(late)).toContain('comes after the end of its transaction');
    expect([called, await countOf('late')]).toEqual([1, 0]);
  });

  it('takes back everything when the statement that concludes it fails, and has a sound connection after it', async () => {
    const pid = await backendOf();
    let called = 0;
    const failure = await failureOf(
      uow.run(scope, 'test.conclude', async (tx) => {
        tx.afterCommit(() => called++);
        await tx.query(INSERT, ['undone']);
        await tx.conclude(FAIL, []);
      }),
    );
    expect((failure as { code?: string }).code).toBe('22012');
    expect([called, await countOf('undone'), await backendOf()]).toEqual([0, 0, pid]);
  });

  it('whose connection dies while it is concluded fails as unavailable, and leaves no rejection unhandled', async () => {
    const failure = await failureOf(
      uow.run(scope, 'test.killed', async (tx) => {
        const [backend] = await tx.query<{ pid: number }>(BACKEND, []);
        await admin.query('SELECT pg_terminate_backend($1)', [backend!.pid]);
        await tx.conclude(INSERT, ['killed']);
      }),
    );
    expect(isUnavailable(failure)).toBe(true);
    expect([await backendOf(), await countOf('killed')]).toEqual([expect.any(Number), 0]);
  });

  describe('with locks', () => {
    const names = ['one', 'two', 'three'];
    const take = `SELECT pg_advisory_lock(hashtextextended($1, 0))`;
    const give = `SELECT pg_advisory_unlock(hashtextextended($1, 0))`;
    const runs = async (): Promise<boolean[][]> => {
      const told: boolean[][] = [];
      await uow.runLocking(scope, 'test.locks', names, async (tx, locked) => {
        await tx.query(ONE, []);
        told.push([...locked]);
      });
      return told;
    };

    it('holds all of them that are free, until its end', async () => {
      await uow.runLocking(scope, 'test.locks', names, async (tx, locked) => {
        await tx.query(ONE, []);
        expect(locked).toEqual([true, true, true]);
        for (const name of names) {
          const { rows } = await admin.query<{ free: boolean }>(
            `SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS free`,
            [name],
          );
          expect(rows).toEqual([{ free: false }]);
        }
      });
      for (const name of names) {
        await admin.query(take, [name]);
        await admin.query(give, [name]);
      }
    });

    it('is told which of them another transaction holds', async () => {
      await admin.query(take, ['one']);
      try {
        expect(await runs()).toEqual([[false, true, true]]);
      } finally {
        await admin.query(give, ['one']);
      }
      expect(await runs()).toEqual([[true, true, true]]);
    });
  });

  it('runs once when it breaks a constraint', async () => {
    let tries = 0;
    const failure = await failureOf(
      uow.run(scope, 'test.constraint', (tx) => {
        tries++;
        return tx.query(INSERT, ['NOT A CODE']);
      }),
    );
    expect([(failure as { code?: string }).code, tries]).toEqual(['23514', 1]);
  });

  describe('that only reads', () => {
    const KILL = sql('test.kill', 'SELECT pg_terminate_backend(pg_backend_pid())');
    /** The error of a read whose connection dies by it. */
    const killed = (): Promise<unknown> =>
      failureOf(uow.read(scope, 'test.read', (tx) => tx.query(KILL, [])));

    it('sees its tenant in every statement', async () => {
      const [[tenant], [one]] = await uow.read(scope, 'test.read', (tx) =>
        Promise.all([tx.query<{ tenant: string }>(TENANT, []), tx.query<{ one: number }>(ONE, [])]),
      );
      expect([tenant!.tenant, one!.one]).toEqual([PLATFORM_TENANT_ID, 1]);
    });

    it('sees the rows of its tenant and of no other, whatever it asks for', async () => {
      const houses = [await createHouse(db), await createHouse(db)];
      const all = sql('test.all', 'SELECT property_id AS id FROM properties');
      const seen = await Promise.all(
        houses.map(({ tenantId }) =>
          uow.read({ tenantId }, 'test.read', (tx) => tx.query<{ id: string }>(all, [])),
        ),
      );
      expect(seen).toEqual(houses.map(({ propertyId }) => [{ id: propertyId }]));
    });

    it('can’t write', async () => {
      const failure = await failureOf(uow.read(scope, 'test.read', (tx) => tx.query(INSERT, ['read-only'])));
      expect((failure as { code?: string }).code).toBe('25006');
      expect(await countOf('read-only')).toBe(0);
    });

    it('refuses a statement that comes after the others were sent', async () => {
      const failure = await failureOf(
        uow.read(scope, 'test.read', async (tx) => {
          await tx.query(ONE, []);
          return tx.query(COUNT, ['any']);
        }),
      );
      expect(String(failure)).toContain('comes after the reads were sent');
    });

    it('runs again, whole, after a serialization failure, on a connection that is sound', async () => {
      let tries = 0;
      const [row] = await uow.read(scope, 'test.read', async (tx) => {
        const rows = await tx.query<{ one: number }>(ONE, []);
        if (++tries < 3) throw Object.assign(new Error('serialization'), { code: '40001' });
        return rows;
      });
      expect([row!.one, tries]).toEqual([1, 3]);
    });

    it('has only its own error when one is refused, and all may come again on the same connection', async () => {
      const broken = sql('test.broken', 'SELECT nothing_of_the_kind');
      const behind = sql('test.behind', 'SELECT 2 AS two');
      const pid = await backendOf();
      for (let round = 0; round < 2; round++) {
        const failure = await failureOf(
          uow.read(scope, 'test.read', (tx) =>
            Promise.all([tx.query(ONE, []), tx.query(broken, []), tx.query(behind, [])]),
          ),
        );
        expect((failure as { code?: string }).code).toBe('42703');
        const failed = await failureOf(uow.read(scope, 'test.read', (tx) => tx.query(FAIL, [])));
        expect((failed as { code?: string }).code).toBe('22012');
      }
      const rows = await uow.read(scope, 'test.read', (tx) =>
        Promise.all([tx.query(behind, []), tx.query(ONE, []), tx.query(behind, [])]),
      );
      expect([rows, await backendOf()]).toEqual([[[{ two: 2 }], [{ one: 1 }], [{ two: 2 }]], pid]);
    });

    it('whose work fails before it awaits its statements fails with that, and leaves no rejection unhandled', async () => {
      const thrown = new Error('no');
      const failure = await failureOf(
        uow.read(scope, 'test.read', (tx) => {
          void tx.query(FAIL, []);
          return Promise.reject(thrown);
        }),
      );
      // A rejection that nobody handles Jest itself turns into a failure of the test.
      expect(failure).toBe(thrown);
    });

    it('fails as unavailable when its connection dies, and the next one gets another', async () => {
      const pid = await backendOf();
      expect(isUnavailable(await killed())).toBe(true);
      const [row] = await uow.read(scope, 'test.read', (tx) => tx.query<{ pid: number }>(BACKEND, []));
      expect(row!.pid).not.toBe(pid);
    });

    it.each(['08P01', '25P03', '57P05'])(
      'gives its connection up for an error of code %s, which ends the session as a rule',
      async (code) => {
        await admin.query(`CREATE OR REPLACE FUNCTION fail_with(code text) RETURNS int LANGUAGE plpgsql AS
          $$ BEGIN RAISE EXCEPTION USING ERRCODE = code; END $$; GRANT EXECUTE ON FUNCTION fail_with TO PUBLIC`);
        const fail = sql('test.fail_with', 'SELECT fail_with($1)');
        const pid = await backendOf();
        const failure = await failureOf(uow.read(scope, 'test.read', (tx) => tx.query(fail, [code])));
        expect((failure as { code?: string }).code).toBe(code);
        expect(await backendOf()).not.toBe(pid);
      },
    );

    it('reads rows as its own connection describes them, whatever an older one was told', async () => {
      const shape = sql('test.shape', 'SELECT * FROM shapes');
      const read = (): Promise<object[]> => uow.read(scope, 'test.read', (tx) => tx.query(shape, []));
      await admin.query(`CREATE TABLE shapes AS SELECT 1 AS old; GRANT SELECT ON shapes TO tartware_app`);
      expect(await read()).toEqual([{ old: 1 }]);
      await admin.query('ALTER TABLE shapes RENAME old TO new');
      await killed();
      expect(await read()).toEqual([{ new: 1 }]);
    });

    it('whose statement is refused fails alone: those who share its message are answered', async () => {
      const read = (statement: typeof ONE): Promise<object[]> =>
        uow.read(scope, 'test.read', (tx) =>
          Promise.all([tx.query(TENANT, []), tx.query(statement, [])]).then(([, rows]) => rows),
        );
      const outcomes = await Promise.allSettled([ONE, FAIL, ONE, FAIL, ONE].map(read));
      expect(
        outcomes.map((outcome) =>
          outcome.status === 'fulfilled' ? outcome.value : (outcome.reason as { code: string }).code,
        ),
      ).toEqual([[{ one: 1 }], '22012', [{ one: 1 }], '22012', [{ one: 1 }]]);
    });

    it('whose connection dies fails with those who share its message, and the next one is answered', async () => {
      const outcomes = await Promise.allSettled(
        [ONE, KILL, ONE].map((statement) => uow.read(scope, 'test.read', (tx) => tx.query(statement, []))),
      );
      expect(
        outcomes.map((outcome) => outcome.status === 'rejected' && isUnavailable(outcome.reason)),
      ).toEqual([true, true, true]);
      expect(await backendOf()).toBeGreaterThan(0);
    });

    it('leaves no tenant on the connection for the next one', async () => {
      await uow.read(scope, 'test.read', (tx) => tx.query(TENANT, []));
      const [row] = await new BackgroundWork(source).run('test.tenant', (tx) =>
        tx.query<{ tenant: string }>(TENANT, []),
      );
      expect(row!.tenant).toBe('');
    });
  });

  it('leaves no tenant on the connection for the next one', async () => {
    await uow.run(scope, 'test.tenant', (tx) => tx.query(TENANT, []));
    const background = new BackgroundWork(source);
    const [row] = await background.run('test.tenant', (tx) => tx.query<{ tenant: string }>(TENANT, []));
    expect(row!.tenant).toBe('');
  });
});
