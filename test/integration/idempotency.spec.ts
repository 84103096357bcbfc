import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ReservationDesk } from '../../src/modules/reservations/contract/reservation-desk.js';
import { claimLock, type Claim, type StoredAnswer } from '../../src/platform/database/idempotency.js';
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
let api: OpenUow;
let twinApi: OpenUow;
let desk: ReservationDesk;
/** Another API process. */
let twinDesk: ReservationDesk;
let superuser: pg.Client;
let house: TestHouse;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await openUow(database.appUrl);
  twinApi = await openUow(database.appUrl);
  desk = new ReservationDesk(api.uow);
  twinDesk = new ReservationDesk(twinApi.uow);
  superuser = new pg.Client({ connectionString: database.superUrl });
  await superuser.connect();
});

afterAll(async () => {
  await superuser.end();
  await api.close();
  await twinApi.close();
  await database.drop();
});

beforeEach(async () => {
  house = await createHouse(database, { rooms: 5 });
});

/** How many rows of this tenant each table has, and the counters: all that a command could write. */
async function written(tenantId = house.tenantId): Promise<Record<string, number>> {
  const { rows } = await superuser.query(
    `SELECT (SELECT count(*) FROM reservations WHERE tenant_id = $1) AS reservations,
            (SELECT coalesce(sum(version), 0) FROM reservations WHERE tenant_id = $1) AS versions,
            (SELECT sum(sold) FROM inventory_nights WHERE tenant_id = $1) AS sold,
            (SELECT count(*) FROM outbox_events WHERE tenant_id = $1) AS events,
            (SELECT count(*) FROM outbox_queue WHERE tenant_id = $1) AS queued,
            (SELECT count(*) FROM audit_log WHERE tenant_id = $1) AS audited,
            (SELECT count(*) FROM idempotency_keys WHERE tenant_id = $1) AS keys`,
    [tenantId],
  );
  return rows[0];
}
const ONE_BOOKING = { reservations: 1, versions: 1, sold: 1, events: 1, queued: 1, audited: 1, keys: 1 };

/** The request of one client, sent again as it was: the door makes a new id each time, the body is the same. */
const request = (key: string, fields: Parameters<typeof creationIn>[1] = {}, ctx = clerkOf(house)) => {
  const { reservationId, ...body } = creationIn(house, fields);
  return jobOf(ctx, { ...body, reservationId }, key, body);
};
const replayed = (answer: StoredAnswer): StoredAnswer => ({
  ...answer,
  headers: { ...answer.headers, 'idempotency-replayed': 'true' },
});

describe('the same key with the same request', () => {
  it('gets the stored answer byte for byte, and nothing is written', async () => {
    const first = await desk.submit(request('k'));
    expect(first.status).toBe(201);
    expect(await written()).toEqual(ONE_BOOKING);
    for (const again of [desk, twinDesk, desk])
      expect(await again.submit(request('k'))).toEqual(replayed(first));
    expect(await written()).toEqual(ONE_BOOKING);
  });

  it('gets it after the reservation has changed as well: the answer to that request, not the present state', async () => {
    const first = await desk.submit(request('k'));
    const { id } = JSON.parse(first.body).data;
    await desk.submit(jobOf(clerkOf(house), moveOf('cancel', id)));
    expect((await desk.submit(request('k'))).body).toBe(first.body);
  });

  it('repeats a move as well: the second one is neither illegal nor stale', async () => {
    const { body } = await desk.submit(request('k1'));
    const { id } = JSON.parse(body).data;
    const cancel = () => jobOf(clerkOf(house), moveOf('cancel', id, { ifVersion: 1 }), 'k2');
    const first = await desk.submit(cancel());
    expect(first).toMatchObject({ status: 200, headers: { etag: '"2"' } });
    expect(await desk.submit(cancel())).toEqual(replayed(first));
    expect(await written()).toMatchObject({ versions: 2, sold: 0, events: 2, keys: 2 });
  });
});

describe('the same key with another request', () => {
  it('is refused as IDEMPOTENCY_KEY_REUSED (422), and nothing is written', async () => {
    await desk.submit(request('k'));
    const refusal = await outcomeOf(desk.submit(request('k', { adults: 2 })));
    expect(refusal).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED', category: 'VALIDATION' });
    expect(await written()).toEqual(ONE_BOOKING);
  });
});

describe('a refusal', () => {
  it('is not kept: the same request with the same key succeeds later', async () => {
    house = await createHouse(database, { rooms: 1 });
    const first = await desk.submit(request('first'));
    const before = await written();
    expect(await outcomeOf(desk.submit(request('k')))).toMatchObject({ code: 'NO_AVAILABILITY' });
    expect(await written()).toEqual(before);
    await desk.submit(jobOf(clerkOf(house), moveOf('cancel', JSON.parse(first.body).data.id)));
    expect((await desk.submit(request('k'))).status).toBe(201);
  });

  it('leaves the key free for another request', async () => {
    expect(wordOf(await outcomeOf(desk.submit(request('k', { adults: 0 }))))).toBe('PARTY_EMPTY');
    expect((await desk.submit(request('k', { adults: 1 }))).status).toBe(201);
  });
});

describe('a twin that still runs', () => {
  /** Holds a key's lock as a running request does, on a connection of its own. */
  async function whileRunning<T>(
    claim: Claim,
    work: () => Promise<T>,
    tenantId = house.tenantId,
  ): Promise<T> {
    await superuser.query('BEGIN');
    try {
      await superuser.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [
        claimLock(tenantId, claim),
      ]);
      return await work();
    } finally {
      await superuser.query('ROLLBACK');
    }
  }

  it('has its repetition refused at once as REQUEST_IN_PROGRESS (409); the same key succeeds afterwards', async () => {
    const job = request('k');
    await whileRunning(job.claim!, async () => {
      expect(await outcomeOf(desk.submit(request('k')))).toMatchObject({
        code: 'REQUEST_IN_PROGRESS',
        category: 'CONFLICT',
      });
    });
    expect(await written()).toMatchObject({ reservations: 0, events: 0, keys: 0 });
    expect((await desk.submit(request('k'))).status).toBe(201);
  });

  it('stands in nobody else’s way: other keys, principals and tenants pass', async () => {
    const other = await createHouse(database);
    await whileRunning(request('k').claim!, async () => {
      const answers = await Promise.all([
        desk.submit(request('k2')),
        desk.submit(request('k', {}, clerkOf(house, { subject: 'another' }))),
        desk.submit(jobOf(clerkOf(other), creationIn(other), 'k')),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    });
  });

  it('does not fail its neighbours of the same list', async () => {
    const job = request('k');
    await whileRunning(job.claim!, async () => {
      const outcomes = await desk.submitList(house.tenantId, [request('a'), job, request('b')]);
      expect(outcomes.map(wordOf)).toEqual([201, 'REQUEST_IN_PROGRESS', 201]);
    });
  });
});

describe('a key', () => {
  it('is kept per principal: another one’s request with it is a request of its own', async () => {
    const mine = await desk.submit(request('k', {}, clerkOf(house, { subject: 'one' })));
    const theirs = await desk.submit(request('k', {}, clerkOf(house, { subject: 'two' })));
    expect(theirs.status).toBe(201);
    expect(JSON.parse(theirs.body).data.id).not.toBe(JSON.parse(mine.body).data.id);
    expect(await written()).toMatchObject({ reservations: 2, keys: 2 });
  });

  it('is kept per tenant', async () => {
    const other = await createHouse(database);
    await desk.submit(request('k'));
    expect((await desk.submit(jobOf(clerkOf(other), creationIn(other), 'k'))).status).toBe(201);
    expect(await written()).toEqual(ONE_BOOKING);
    expect(await written(other.tenantId)).toEqual(ONE_BOOKING);
  });

  it('is not needed: without one, the same request is a second booking', async () => {
    const command = creationIn(house);
    await desk.submit(jobOf(clerkOf(house), command));
    await desk.submit(jobOf(clerkOf(house), { ...command, reservationId: newId() }));
    expect(await written()).toMatchObject({ reservations: 2, keys: 0 });
  });

  it('may stand twice in a list that was gathered elsewhere: the second gets the answer of the first', async () => {
    const [first, second] = await desk.submitList(house.tenantId, [request('k'), request('k')]);
    expect(first).toMatchObject({ status: 201 });
    expect(second).toEqual(replayed(first as StoredAnswer));
    expect(await written()).toEqual(ONE_BOOKING);
  });
});

describe('50 twins at once', () => {
  it.each([
    ['one API process', () => [desk]],
    ['two API processes', () => [desk, twinDesk]],
  ])('make one reservation, through %s', async (_, desks) => {
    const through = desks();
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, i) => outcomeOf(through[i % through.length]!.submit(request('k')))),
    );
    expect(await written()).toEqual(ONE_BOOKING);
    const answers = outcomes.filter((outcome) => !(outcome instanceof DomainError)) as StoredAnswer[];
    const refusals = outcomes.filter((outcome) => outcome instanceof DomainError);
    expect(new Set(refusals.map(({ code }) => code))).toEqual(
      new Set(refusals.length > 0 ? ['REQUEST_IN_PROGRESS'] : []),
    );
    const first = answers.filter(({ headers }) => !('idempotency-replayed' in headers));
    expect(first).toHaveLength(1);
    expect(first[0]!.status).toBe(201);
    for (const answer of answers) if (answer !== first[0]) expect(answer).toEqual(replayed(first[0]!));
  });
});
