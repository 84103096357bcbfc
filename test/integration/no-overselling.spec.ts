import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ReservationDesk } from '../../src/modules/reservations/contract/reservation-desk.js';
import type { ReservationCommand } from '../../src/modules/reservations/domain/commands.js';
import { metrics } from '../../src/platform/observability/metrics.js';
import { addDays } from '../../src/platform/kernel/dates.js';
import { DomainError } from '../../src/platform/kernel/errors.js';
import { newId } from '../../src/platform/kernel/ids.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import {
  clerkOf,
  createHouse,
  creationIn,
  jobOf,
  moveOf,
  openUow,
  outcomeOf,
  wordOf,
  type OpenUow,
  type TestHouse,
} from '../support/fixtures.js';

let database: TestDatabase;
/** Four API processes: a pool and a desk each. */
const apis: OpenUow[] = [];
const desks: ReservationDesk[] = [];
let superuser: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  for (let i = 0; i < 4; i++) {
    const api = await openUow(database.appUrl, 3);
    apis.push(api);
    desks.push(new ReservationDesk(api.uow));
  }
  superuser = new pg.Client({ connectionString: database.superUrl });
  await superuser.connect();
});

afterAll(async () => {
  await superuser.end();
  for (const api of apis) await api.close();
  await database.drop();
});

/** Times that transactions of the desk ran again after a deadlock or a serialization failure. */
const retries = async (): Promise<number> =>
  (await metrics.transactionRetries.get()).values
    .filter(({ labels }) => labels.name === 'reservations.execute')
    .reduce((sum, { value }) => sum + value, 0);

/**
 * What contradicts itself in a tenant's rows, counted by SQL of its own: nothing, when every promise is kept.
 */
async function contradictions(tenantId: string): Promise<Record<string, unknown[]>> {
  const ask = async (text: string): Promise<unknown[]> => (await superuser.query(text, [tenantId])).rows;
  return {
    countersUnlikeRecount: await ask(`
      WITH slept AS (
        SELECT room_type_id, n::date AS night, count(*)::int AS stays
          FROM reservations, generate_series(arrival, departure - 1, interval '1 day') AS n
         WHERE tenant_id = $1 AND status IN ('HELD', 'CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT') GROUP BY 1, 2)
      SELECT room_type_id, night, sold, coalesce(stays, 0) AS recount
        FROM (SELECT * FROM inventory_nights WHERE tenant_id = $1) i FULL JOIN slept USING (room_type_id, night)
       WHERE sold IS DISTINCT FROM coalesce(stays, 0)`),
    oversold: await ask(`SELECT * FROM inventory_nights WHERE tenant_id = $1 AND (sold > rooms OR sold < 0)`),
    eventsWithGaps: await ask(`
      SELECT reservation_id, version, array_agg(key_seq ORDER BY key_seq) AS seqs
        FROM reservations r LEFT JOIN outbox_events e ON e.tenant_id = r.tenant_id AND e.aggregate_id = r.reservation_id
       WHERE r.tenant_id = $1 GROUP BY reservation_id, version
      HAVING array_agg(key_seq ORDER BY key_seq) <> ARRAY(SELECT generate_series(1, version))`),
    eventsOfNobody: await ask(`
      SELECT aggregate_id FROM outbox_events e WHERE tenant_id = $1 AND NOT EXISTS
        (SELECT FROM reservations r WHERE r.tenant_id = e.tenant_id AND r.reservation_id = e.aggregate_id)`),
    auditUnlikeEvents: await ask(`
      SELECT * FROM
        (SELECT aggregate_id AS id, event_type AS what, correlation_id, count(*) FROM outbox_events WHERE tenant_id = $1 GROUP BY 1, 2, 3) e
        FULL JOIN
        (SELECT resource_id AS id, action AS what, correlation_id, count(*) FROM audit_log WHERE tenant_id = $1 GROUP BY 1, 2, 3) a
        USING (id, what, correlation_id, count) WHERE e.id IS NULL OR a.id IS NULL`),
    queueUnlikeEvents: await ask(`
      SELECT * FROM (SELECT aggregate_id, key_seq, occurred_at, tenant_id FROM outbox_events WHERE tenant_id = $1) e
        FULL JOIN (SELECT aggregate_id, key_seq, occurred_at, queue_id FROM outbox_queue WHERE tenant_id = $1) q
        USING (aggregate_id, key_seq, occurred_at) WHERE e.tenant_id IS NULL OR q.queue_id IS NULL`),
    queuedOutOfOrder: await ask(`
      SELECT * FROM (SELECT aggregate_id, key_seq, lag(key_seq, 1, 0) OVER (PARTITION BY aggregate_id ORDER BY queue_id) AS before
        FROM outbox_queue WHERE tenant_id = $1) q WHERE key_seq <> before + 1`),
  };
}
const NONE = {
  countersUnlikeRecount: [],
  oversold: [],
  eventsWithGaps: [],
  eventsOfNobody: [],
  auditUnlikeEvents: [],
  queueUnlikeEvents: [],
  queuedOutOfOrder: [],
};

const keysOf = async (tenantId: string): Promise<number> =>
  (await superuser.query(`SELECT count(*) AS keys FROM idempotency_keys WHERE tenant_id = $1`, [tenantId]))
    .rows[0].keys;

describe('200 clients that ask at once for the last room', () => {
  const ROUNDS = 50;
  const CLIENTS = 200;

  it(`get one 201 and 199 NO_AVAILABILITY that name the first night lacking, in each of ${ROUNDS} rounds`, async () => {
    // Two rooms. In each round one is booked for the middle of three nights, so that one is the last: all ask for the three.
    const house = await createHouse(database, { rooms: 2, nights: 3 * ROUNDS });
    const before = await retries();
    for (let round = 0; round < ROUNDS; round++) {
      // Every fifth round comes through four processes, the others through one.
      const through = round % 5 === 0 ? desks : desks.slice(0, 1);
      const [arrival, middle, departure] = [0, 1, 3].map((n) => house.day(3 * round + n)) as [
        never,
        never,
        never,
      ];
      await desks[1]!.submit(jobOf(clerkOf(house), creationIn(house, { arrival: middle })));
      const outcomes = await Promise.all(
        Array.from({ length: CLIENTS }, (_, i) =>
          outcomeOf(
            through[i % through.length]!.submit(
              jobOf(
                clerkOf(house, { subject: `client ${i}` }),
                creationIn(house, { arrival, departure }),
                `round ${round}`,
              ),
            ),
          ),
        ),
      );
      const refusals = outcomes.filter((outcome) => outcome instanceof DomainError);
      expect(outcomes.filter((outcome) => wordOf(outcome) === 201)).toHaveLength(1);
      expect(refusals).toHaveLength(CLIENTS - 1);
      for (const { code, category, details } of refusals)
        expect({ code, category, details }).toEqual({
          code: 'NO_AVAILABILITY',
          category: 'CONFLICT',
          details: { roomTypeId: house.roomTypeId, night: middle },
        });
    }
    expect(await contradictions(house.tenantId)).toEqual(NONE);
    expect(await keysOf(house.tenantId)).toBe(ROUNDS);
    expect(await retries()).toBe(before);
  }, 120_000);
});

describe('300 clients that ask at once where there is room for all', () => {
  it('get a 201 each, of their own booking, and every one of them is written whole', async () => {
    const house = await createHouse(database, { rooms: 300 });
    const jobs = Array.from({ length: 300 }, (_, i) =>
      jobOf(
        clerkOf(house, { subject: `client ${i}` }),
        creationIn(house, { externalId: `booking ${i}` }),
        'k',
      ),
    );
    const answers = await Promise.all(jobs.map((job) => desks[0]!.submit(job)));
    const told = answers.map(({ status, body }) => {
      const { id, externalId, correlationId } = JSON.parse(body).data;
      return { status, id, externalId, correlationId };
    });
    expect(told).toEqual(
      jobs.map(({ ctx, command }, i) => ({
        status: 201,
        id: command.reservationId,
        externalId: `booking ${i}`,
        correlationId: ctx.correlationId,
      })),
    );
    expect(await contradictions(house.tenantId)).toEqual(NONE);
    expect(await keysOf(house.tenantId)).toBe(300);
    const { rows } = await superuser.query(
      `SELECT a.actor, e.correlation_id AS "correlationId", e.data->>'externalId' AS "externalId"
         FROM outbox_events e JOIN audit_log a ON a.tenant_id = e.tenant_id AND a.resource_id = e.aggregate_id
        WHERE e.tenant_id = $1 AND e.actor = a.actor`,
      [house.tenantId],
    );
    const sorted = (list: readonly object[]): string[] => list.map((row) => JSON.stringify(row)).sort();
    expect(sorted(rows)).toEqual(
      sorted(
        jobs.map(({ ctx }, i) => ({
          actor: `client ${i}`,
          correlationId: ctx.correlationId,
          externalId: `booking ${i}`,
        })),
      ),
    );
  });
});

/** A small generator of its own: the seed is told on failure, Math.random has none. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('a storm of every command at once', () => {
  const CLIENTS = 24;
  const COMMANDS = 60;
  const NIGHTS = 9;

  /** The clock of a hold runs out: the row as it would be a quarter of an hour later. Triggers are off for it. */
  async function runOutOfTime(client: pg.Client, house: TestHouse, reservationId: string): Promise<void> {
    await client.query(
      `UPDATE reservations SET hold_expires_at = now() - interval '1 second'
        WHERE tenant_id = $1 AND reservation_id = $2 AND status = 'HELD'`,
      [house.tenantId, reservationId],
    );
  }

  it('through four processes leaves counters, events, audit and queue in agreement', async () => {
    const house = await createHouse(database, { rooms: 5, types: 2, nights: NIGHTS });
    const seed = Date.now() % 1_000_000;
    const before = await retries();
    // What some commands look for: a hold, a guest due today, a guest in house. Any reservation where there is none.
    const known: string[] = [];
    const holds: string[] = [];
    const due: string[] = [];
    const inHouse: string[] = [];
    const words = new Map<string, number>();
    let answered = 0;

    const client = async (number: number): Promise<void> => {
      const random = randomFrom(seed + number);
      const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;
      const clock = new pg.Client({ connectionString: database.superUrl });
      await clock.connect();
      await clock.query(`SET session_replication_role = replica`);
      const command = async (): Promise<ReservationCommand> => {
        // Half of them arrive today, so that some can be checked in.
        const arrival = house.day(random(2) * random(NIGHTS - 3));
        const departure = addDays(arrival, 1 + random(3));
        const reservationId = known.length > 0 ? pick(known) : newId();
        const on = { reservationId, ifVersion: null };
        const oneOf = (list: readonly string[]): string => (list.length > 0 ? pick(list) : reservationId);
        switch (random(12)) {
          case 0:
            return creationIn(house, { arrival, departure, roomTypeId: pick(house.roomTypeIds) });
          case 1:
          case 2:
            return creationIn(house, {
              arrival,
              departure,
              roomTypeId: pick(house.roomTypeIds),
              holdSeconds: 60,
            });
          case 3:
          case 4:
            return {
              kind: 'modify',
              ...on,
              arrival,
              departure,
              roomTypeId: pick(house.roomTypeIds),
              override: null,
            };
          case 5:
            return moveOf('cancel', reservationId);
          case 6: {
            const hold = oneOf(holds);
            await runOutOfTime(clock, house, hold);
            return moveOf('expire', hold);
          }
          case 7:
          case 8:
            return moveOf('reinstate', reservationId);
          case 9:
            return moveOf('check-in', oneOf(due), { roomNumber: String(1 + random(4)) });
          case 10:
            return moveOf('confirm', oneOf(holds.slice(-2)));
          default:
            return { kind: 'change-departure', reservationId: oneOf(inHouse), ifVersion: null, departure };
        }
      };
      try {
        for (let i = 0; i < COMMANDS; i++) {
          const next = await command();
          const outcome = await outcomeOf(
            desks[number % desks.length]!.submit(
              jobOf(clerkOf(house, { subject: `client ${number}` }), next, `${i}`),
            ),
          );
          const word = `${next.kind} ${wordOf(outcome)}`;
          words.set(word, (words.get(word) ?? 0) + 1);
          if (outcome instanceof DomainError) continue;
          answered++;
          if (next.kind === 'check-in') inHouse.push(next.reservationId);
          if (next.kind !== 'create') continue;
          known.push(next.reservationId);
          if (next.holdSeconds !== null) holds.push(next.reservationId);
          if (next.arrival === house.businessDate) due.push(next.reservationId);
        }
      } finally {
        await clock.end();
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, (_, i) => client(i)));

    const found = await contradictions(house.tenantId);
    expect({ seed, ...found }).toEqual({ seed, ...NONE });
    // A refusal keeps no key, every answer keeps one; so nobody was told a thing that isn't there.
    expect(await keysOf(house.tenantId)).toBe(answered);
    const { rows } = await superuser.query(
      `SELECT sum(version) AS versions FROM reservations WHERE tenant_id = $1`,
      [house.tenantId],
    );
    expect(rows[0].versions).toBe(answered);
    // One order of locks: nobody waited for one who waited for him.
    expect(await retries()).toBe(before);
    // A storm without these would be a calm.
    for (const word of [
      'create 201',
      'create NO_AVAILABILITY',
      'modify 200',
      'modify NO_AVAILABILITY',
      'cancel 200',
      'expire 200',
      'reinstate 200',
      'reinstate NO_AVAILABILITY',
      'check-in 200',
      'check-in ROOM_OCCUPIED',
      'confirm 200',
      'change-departure 200',
    ])
      expect({ seed, word, times: words.get(word) ?? 0 }).not.toEqual({ seed, word, times: 0 });
  }, 60_000);
});

describe('a member of a list that the database refuses', () => {
  it('for an external id that is taken fails alone: EXTERNAL_ID_TAKEN', async () => {
    const house = await createHouse(database);
    const ctx = clerkOf(house, { source: 'import' });
    const list = ['a', 'b', 'a', 'c'].map((externalId) =>
      jobOf(ctx, creationIn(house, { externalId }), newId()),
    );
    expect((await desks[0]!.submitList(house.tenantId, list)).map(wordOf)).toEqual([
      201,
      201,
      'EXTERNAL_ID_TAKEN',
      201,
    ]);
    expect(await contradictions(house.tenantId)).toEqual(NONE);
    expect(await keysOf(house.tenantId)).toBe(3);
  });

  it('for a room that is in house already fails alone: ROOM_OCCUPIED', async () => {
    const house = await createHouse(database);
    const ctx = clerkOf(house);
    const guests = Array.from({ length: 4 }, () => creationIn(house));
    await desks[0]!.submitList(
      house.tenantId,
      guests.map((command) => jobOf(ctx, command)),
    );
    const list = ['1', '2', '1', '3'].map((roomNumber, i) =>
      jobOf(ctx, moveOf('check-in', guests[i]!.reservationId, { roomNumber }), newId()),
    );
    expect((await desks[0]!.submitList(house.tenantId, list)).map(wordOf)).toEqual([
      200,
      200,
      'ROOM_OCCUPIED',
      200,
    ]);
    expect(await contradictions(house.tenantId)).toEqual(NONE);
  });

  it('for an id that is taken fails alone: RESERVATION_EXISTS', async () => {
    const house = await createHouse(database);
    const taken = creationIn(house);
    await desks[0]!.submit(jobOf(clerkOf(house), taken));
    const list = [creationIn(house), { ...taken, adults: 2 }, creationIn(house)].map((command) =>
      jobOf(clerkOf(house), command, newId()),
    );
    expect((await desks[0]!.submitList(house.tenantId, list)).map(wordOf)).toEqual([
      201,
      'RESERVATION_EXISTS',
      201,
    ]);
    expect(await contradictions(house.tenantId)).toEqual(NONE);
  });

  it.each([
    ['an external id that is too long', { externalId: 'x'.repeat(101) }],
    ['a NUL in a text', { externalId: 'nul \u0000' }],
    ['half a child', { children: 0.5 }],
    ['fewer than no babies', { babies: -1, adults: 2 }],
  ])('for %s, which no door should have let in, fails alone', async (_, poison) => {
    const house = await createHouse(database, { rooms: 20 });
    const list = Array.from({ length: 12 }, (_, i) =>
      jobOf(clerkOf(house), creationIn(house, i === 6 ? poison : {}), newId()),
    );
    // All at once: the desk gathers them, so that the sixth shares its transaction with others.
    const outcomes = await Promise.allSettled(list.map((job) => desks[0]!.submit(job)));
    expect(outcomes.flatMap(({ status }, i) => (status === 'rejected' ? [i] : []))).toEqual([6]);
    expect(await contradictions(house.tenantId)).toEqual(NONE);
    expect(await keysOf(house.tenantId)).toBe(11);
  });
});
