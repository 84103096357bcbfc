import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Pool } from 'pg';
import type { DataSource } from 'typeorm';
import { executeList } from '../../src/modules/reservations/commands/execute-list.js';
import type { ReservationCommand } from '../../src/modules/reservations/domain/commands.js';
import { ReservationQueries } from '../../src/modules/reservations/queries/reservation-queries.js';
import { newId } from '../../src/platform/kernel/ids.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import {
  clerkOf,
  createHouse,
  creationIn,
  jobOf,
  moveOf,
  openUow,
  type OpenUow,
  type TestHouse,
  wordOf,
} from '../support/fixtures.js';

interface Stream {
  _write: (...args: unknown[]) => void;
  _writev: (...args: unknown[]) => void;
}

/** Counts what leaves on the one connection of a pool, flush by flush. */
async function flushesOn(source: DataSource): Promise<() => number> {
  const { master: pool } = source.driver as unknown as { master: Pool };
  const client = await pool.connect();
  const { stream } = (client as unknown as { connection: { stream: Stream } }).connection;
  client.release();
  let flushes = 0;
  for (const name of ['_write', '_writev'] as const) {
    const plain = stream[name].bind(stream);
    stream[name] = (...args) => {
      flushes++;
      plain(...args);
    };
  }
  return () => flushes;
}

describe('messages to the database', () => {
  let db: TestDatabase;
  let api: OpenUow;
  let house: TestHouse;
  let flushes: () => number;

  beforeAll(async () => {
    db = await createTestDatabase();
    api = await openUow(db.appUrl, 1);
    house = await createHouse(db);
    // The connection learns its statements.
    for (let n = 0; n < 2; n++) {
      const command = creationIn(house);
      await execute(command);
      await execute(moveOf('cancel', command.reservationId));
    }
    flushes = await flushesOn(api.source);
  });
  afterAll(async () => {
    await api.close();
    await db.drop();
  });

  const execute = async (...commands: ReservationCommand[]): Promise<(number | string)[]> => {
    const jobs = commands.map((command) => jobOf(clerkOf(house), command, newId()));
    return (await executeList(api.uow, house.tenantId, jobs)).map(wordOf);
  };
  const counted = async <T>(work: () => Promise<T>): Promise<[T, number]> => {
    const before = flushes();
    return [await work(), flushes() - before];
  };

  it('a list of creations takes two: all that it looks at and locks, and all that it writes', async () => {
    expect(await counted(() => execute(creationIn(house), creationIn(house)))).toEqual([[201, 201], 2]);
  });

  it('a change takes three: it has to know the reservation to know its nights', async () => {
    const made = creationIn(house);
    await execute(made);
    expect(await counted(() => execute(moveOf('cancel', made.reservationId)))).toEqual([[200], 3]);
  });

  it('a reservation by id takes one', async () => {
    const made = creationIn(house);
    await execute(made);
    const queries = new ReservationQueries(api.uow);
    const [read, messages] = await counted(() => queries.byId(clerkOf(house), made.reservationId));
    expect([read.reservationId, messages]).toEqual([made.reservationId, 1]);
  });

  it('a read that asks for nothing takes none', async () => {
    const read = (): Promise<string> => api.uow.read(house, 'test.nothing', () => Promise.resolve('nothing'));
    expect(await counted(read)).toEqual(['nothing', 0]);
  });

  it('reads of one tenant that arrive at once share one, eight at most', async () => {
    const made = creationIn(house);
    await execute(made);
    const queries = new ReservationQueries(api.uow);
    const readAtOnce = (many: number): Promise<string[]> =>
      Promise.all(
        Array.from({ length: many }, async () => {
          const { reservationId } = await queries.byId(clerkOf(house), made.reservationId);
          return reservationId;
        }),
      );
    for (const [readers, messages] of [
      [8, 1],
      [9, 2],
    ] as const)
      expect(await counted(() => readAtOnce(readers))).toEqual([
        new Array(readers).fill(made.reservationId),
        messages,
      ]);
  });

  it('reads of two tenants that arrive at once have one each, and each sees its own rows', async () => {
    const [other, made] = [await createHouse(db), creationIn(house)];
    await execute(made);
    const queries = new ReservationQueries(api.uow);
    const read = (who: TestHouse): Promise<string> =>
      queries.byId(clerkOf(who), made.reservationId).then(
        () => 'seen',
        (error: unknown) => (error as { code: string }).code,
      );
    expect(await counted(() => Promise.all([house, other].map(read)))).toEqual([
      ['seen', 'RESERVATION_NOT_FOUND'],
      2,
    ]);
  });
});
