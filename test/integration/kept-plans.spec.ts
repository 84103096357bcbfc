import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { readKeyStates } from '../../src/modules/consumer/persistence/inbox-store.js';
import { promoteParked } from '../../src/modules/consumer/persistence/replay-store.js';
import { FIRST_TENANT } from '../../src/modules/outbox/contract/queue-heads.js';
import { QueueStore } from '../../src/modules/outbox/persistence/queue-store.js';
import { executeList } from '../../src/modules/reservations/commands/execute-list.js';
import type { ReservationCommand } from '../../src/modules/reservations/domain/commands.js';
import { openDataSource } from '../../src/platform/database/data-source.js';
import { BACKGROUND_SETTINGS } from '../../src/platform/database/database.module.js';
import { BackgroundWork } from '../../src/platform/database/unit-of-work.js';
import { newId } from '../../src/platform/kernel/ids.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { clerkOf, createHouse, creationIn, jobOf, moveOf, openUow } from '../support/fixtures.js';

/** PostgreSQL tries five plans for the values at hand, and then keeps one for all, if it doesn't look dearer. */
const RUNS = 7;

describe('plans', () => {
  let db: TestDatabase;
  let source: DataSource;
  let work: BackgroundWork;

  beforeEach(async () => {
    db = await createTestDatabase();
    source = await openDataSource(db.workerUrl, {
      poolSize: 1,
      applicationName: 'tartware-test',
      entities: [],
      settings: BACKGROUND_SETTINGS,
    });
    work = new BackgroundWork(source);
  });
  afterEach(async () => {
    await source.destroy();
    await db.drop();
  });

  const key = { tenantId: newId(), aggregateId: newId() };
  const runs: Readonly<Record<string, () => Promise<unknown>>> = {
    'outbox.claim': () =>
      new QueueStore(work).claim([{ slot: 3, priority: 0, from: FIRST_TENANT, limit: 100 }]),
    'consumer.key_states': () =>
      work.run('test', (tx) =>
        readKeyStates(tx, [
          { ...key, keySeq: 1, eventId: newId(), occurredAt: '2026-01-01T00:00:00.000000Z' },
        ]),
      ),
    'consumer.promote_parked': () => work.run('test', (tx) => promoteParked(tx, [key])),
  };

  it('are compiled on no connection: that takes hundreds of times as long as the statement', async () => {
    const plain = await openDataSource(db.appUrl, {
      poolSize: 1,
      applicationName: 'tartware-test',
      entities: [],
    });
    try {
      for (const pool of [source, plain]) expect(await pool.query('SHOW jit')).toEqual([{ jit: 'off' }]);
    } finally {
      await plain.destroy();
    }
  });

  it('of a booking are kept, though its lists are of one', async () => {
    const house = await createHouse(db);
    const api = await openUow(db.appUrl, 1);
    const execute = (command: ReservationCommand): Promise<unknown> =>
      executeList(api.uow, house.tenantId, [jobOf(clerkOf(house), command, newId())]);
    try {
      for (let n = 0; n < RUNS; n++) {
        const command = creationIn(house);
        await execute(command);
        await execute(moveOf('cancel', command.reservationId));
      }
      const plans = await api.source.query<{ name: string; custom: number }[]>(
        `SELECT name, custom_plans::int AS custom FROM pg_prepared_statements WHERE name LIKE 'reservations.%' ORDER BY name`,
      );
      expect(plans).toEqual(
        ['reservations.lock', 'reservations.read_house', 'reservations.write'].map((name) => ({
          name,
          custom: 5,
        })),
      );
    } finally {
      await api.close();
    }
  });

  it.each(Object.keys(runs))(
    'of the loops’ %s are kept, whatever the lengths of its arrays',
    async (name) => {
      for (let n = 0; n < RUNS; n++) await runs[name]!();
      const [plans] = await source.query<{ custom: number; kept: number }[]>(
        `SELECT custom_plans::int AS custom, generic_plans::int AS kept FROM pg_prepared_statements WHERE name = $1`,
        [name],
      );
      expect(plans).toEqual({ custom: 5, kept: RUNS - 5 });
    },
  );
});
