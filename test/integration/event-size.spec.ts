import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { deadLetterRecord } from '../../src/modules/consumer/dead-letters/dead-letter-publisher.js';
import { appendChanges } from '../../src/modules/outbox/contract/append-changes.js';
import {
  limitEvents,
  MAX_DATA_BYTES,
  RECORD_OVERHEAD,
} from '../../src/modules/outbox/contract/event-size.js';
import { EVENT_TYPES } from '../../src/modules/outbox/contract/event-types.js';
import { toLogRecord } from '../../src/modules/outbox/domain/envelope.js';
import { ReservationDesk } from '../../src/modules/reservations/contract/reservation-desk.js';
import { recordBytes } from '../../src/platform/event-log/delivery/record-size.js';
import { addDays } from '../../src/platform/kernel/dates.js';
import { newId } from '../../src/platform/kernel/ids.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import {
  clerkOf,
  createHouse,
  creationIn,
  jobOf,
  openUow,
  refusalBy,
  rolledBack,
  type OpenUow,
  type TestHouse,
} from '../support/fixtures.js';
import { rowCounts } from '../support/house-sql.js';

const DEFAULT_BYTES = 1_000_000;
const NIGHTS = 300;

let database: TestDatabase;
let house: TestHouse;
let api: OpenUow;

beforeAll(async () => {
  database = await createTestDatabase();
  house = await createHouse(database, { nights: NIGHTS });
  api = await openUow(database.appUrl);
});
afterEach(() => limitEvents(DEFAULT_BYTES));
afterAll(async () => {
  await api.close();
  await database.drop();
});

/** A stay whose event has a price a night. */
const longStay = () =>
  creationIn(house, {
    departure: addDays(house.businessDate, NIGHTS),
    override: { amountMinor: 100_000_000_000, reason: 'test' },
  });

describe('a command whose event is too large for the topic', () => {
  it('is refused when it is made, writes nothing, and leaves its neighbours in the list alone', async () => {
    limitEvents(RECORD_OVERHEAD + 3_000);
    const desk = new ReservationDesk(api.uow);
    const before = await rowCounts(database.superUrl);
    const list = [creationIn(house), longStay(), creationIn(house)];
    const outcomes = await desk.submitList(
      house.tenantId,
      list.map((command) => jobOf(clerkOf(house), command)),
    );
    expect(outcomes).toMatchObject([
      { status: 201 },
      {
        code: 'EVENT_TOO_LARGE',
        category: 'VALIDATION',
        details: { most: 3_000, bytes: expect.any(Number) },
      },
      { status: 201 },
    ]);
    const after = await rowCounts(database.superUrl);
    for (const table of ['reservations', 'outbox_events', 'outbox_queue', 'audit_log'])
      expect([table, after[table]! - before[table]!]).toEqual([table, 2]);
    // The room is free: the refused stay gave its nights back.
    limitEvents(DEFAULT_BYTES);
    expect(await desk.submitList(house.tenantId, [jobOf(clerkOf(house), longStay())])).toMatchObject([
      { status: 201 },
    ]);
  });

  it('is refused in the catalogue alike, with its whole transaction, one byte beyond the limit', async () => {
    const ctx = clerkOf(house);
    const data = { guestId: house.guestId, fields: ['é'.repeat(1_000)] };
    const append = (): Promise<void> =>
      api.uow.run(ctx, 'test.append', (tx) =>
        appendChanges(tx, ctx, [
          {
            aggregateType: 'guest',
            aggregateId: newId(),
            version: 1,
            type: 'guest.changed',
            data,
            changes: {},
          },
        ]),
      );
    const bytes = Buffer.byteLength(JSON.stringify(data));
    const before = await rowCounts(database.superUrl);
    limitEvents(RECORD_OVERHEAD + bytes - 1);
    await expect(append()).rejects.toMatchObject({
      code: 'EVENT_TOO_LARGE',
      details: { bytes, most: bytes - 1 },
    });
    expect(await rowCounts(database.superUrl)).toEqual(before);
    limitEvents(RECORD_OVERHEAD + bytes);
    await append();
  });

  it('is refused by the database too, beyond what any topic may take', async () => {
    limitEvents(100 * DEFAULT_BYTES);
    const insert = `INSERT INTO outbox_events (tenant_id, aggregate_id, key_seq, occurred_at, event_id, aggregate_type,
        event_type, event_version, data, correlation_id, traceparent, actor, received_at)
      VALUES ($1, $2, 1, now(), $2, 'guest', 'guest.changed', 1, $3, $2, 't', 'a', now())`;
    const sized = (bytes: number): string => JSON.stringify('x'.repeat(bytes - 2));
    const client = new pg.Client({ connectionString: database.appUrl });
    await client.connect();
    try {
      await rolledBack(client, house.tenantId, async () => {
        const refusal = await refusalBy(client, insert, [house.tenantId, newId(), sized(MAX_DATA_BYTES + 1)]);
        expect([refusal?.code, refusal?.constraint]).toEqual(['23514', 'outbox_events_data_size']);
        const taken = await refusalBy(client, insert, [house.tenantId, newId(), sized(MAX_DATA_BYTES)]);
        expect(taken).toBeUndefined();
      });
    } finally {
      await client.end();
    }
  });
});

describe('an event that is just small enough', () => {
  const most = 100_000 - RECORD_OVERHEAD;
  const longest = [...EVENT_TYPES.keys()].reduce((one, other) => (other.length > one.length ? other : one));
  const record = toLogRecord(
    {
      slot: 15,
      priority: 0,
      queueId: '9'.repeat(19),
      tenantId: newId(),
      aggregateId: newId(),
      keySeq: 2 ** 31 - 1,
      occurredAt: '2027-03-01T10:00:00.000001Z',
      eventId: newId(),
      aggregateType: 'reservation',
      type: longest,
      version: 32_767,
      data: JSON.stringify({ text: 'x'.repeat(most - 11) }),
      correlationId: newId(),
      traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
      attempts: 0,
    },
    63,
  );

  it('makes a record that the topic takes, with the longest of everything else', () => {
    expect(recordBytes(record)).toBeLessThanOrEqual(100_000);
  });

  it('makes a dead letter that its topic, of twice the size, takes whole', () => {
    const letter = deadLetterRecord(
      {
        tenantId: newId(),
        deadLetterId: newId(),
        topic: 't'.repeat(249),
        partition: 63,
        logOffset: '9'.repeat(19),
        eventId: newId(),
        aggregateId: newId(),
        keySeq: 1,
        status: 'PARKED',
        recordKey: record.key,
        recordValue: record.value,
        recordHeaders: record.headers,
        retryCount: 20,
        attemptedAt: '2027-03-01T10:00:00.000001Z',
        failureCode: 'INVALID_EVENT_DATA',
        failureCause: '\u{1}'.repeat(500),
      },
      63,
      true,
    );
    expect(letter.headers['traceparent']).toBe(record.headers['traceparent']);
    expect(recordBytes(letter)).toBeLessThanOrEqual(200_000);
  });
});
