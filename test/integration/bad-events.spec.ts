import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { DeadLetterPublisher } from '../../src/modules/consumer/dead-letters/dead-letter-publisher.js';
import { DeadLetterStore } from '../../src/modules/consumer/persistence/dead-letter-store.js';
import type { EventEnvelope } from '../../src/modules/outbox/contract/events.js';
import type { EventLog } from '../../src/platform/event-log/event-log.js';
import { MemoryEventLog } from '../../src/platform/event-log/memory/memory-event-log.js';
import { MemoryLogStore } from '../../src/platform/event-log/memory/memory-log-store.js';
import { PostgresEventLog } from '../../src/platform/event-log/postgres/postgres-event-log.js';
import { newId, PLATFORM_TENANT_ID } from '../../src/platform/kernel/ids.js';
import { FedConsumer } from '../support/fed-consumer.js';
import { GroupLedger, RecordingHandler } from '../support/recording-handler.js';
import { DLQ, GROUP, reservationData, ReliablePath, TOPIC } from '../support/reliable-path.js';

const TIMING = { pauseMs: 5, backoffMinMs: 2, backoffMaxMs: 20 };
const NINE_TENTHS_OF_A_MEGABYTE = 900_000;

interface Harness {
  readonly log: EventLog;
  close(): Promise<void>;
}

const LOGS: Record<string, (path: ReliablePath) => Harness> = {
  memory: () => {
    const log = new MemoryEventLog({ store: new MemoryLogStore(), timing: TIMING });
    return { log, close: () => log.close() };
  },
  PostgreSQL: (path) => {
    const pool = new pg.Pool({ connectionString: path.db.workerUrl, max: 4 });
    // A connection that is still closing when the database is dropped is cut.
    pool.on('error', () => undefined);
    const log = new PostgresEventLog(pool, { pollMs: 50, timing: TIMING });
    return { log, close: () => log.close().then(() => pool.end()) };
  },
};

describe.each(Object.keys(LOGS))('an event that is none, in the log in %s,', (name) => {
  let path: ReliablePath;
  let harness: Harness;
  let fed: FedConsumer;
  let publisher: DeadLetterPublisher;
  const dlq = new RecordingHandler(new GroupLedger());
  let applied = 0;

  const envelope = (fields: Partial<EventEnvelope> = {}): EventEnvelope => ({
    eventId: newId(),
    tenantId: path.house.tenantId,
    type: 'reservation.created',
    version: 1,
    aggregateType: 'reservation',
    aggregateId: newId(),
    keySeq: 1,
    occurredAt: '2027-03-01T10:00:00.000001Z',
    correlationId: newId(),
    data: reservationData({
      propertyId: path.house.propertyId,
      status: 'CONFIRMED',
      arrival: '2027-03-01',
      nightlyMinor: [100, 200],
    }),
    ...fields,
  });
  const append = async (
    value: string | EventEnvelope,
    tenantId: string = path.house.tenantId,
  ): Promise<bigint> => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    const key = typeof value === 'string' ? 'key' : value.aggregateId;
    const [position] = await harness.log.append(TOPIC, [
      { partition: 0, key, value: Buffer.from(text), headers: { ce_tenantid: tenantId } },
    ]);
    return position!.offset;
  };
  /** A good event behind the bad one, and what it takes to be applied. */
  const goOn = async (event = envelope()): Promise<void> => {
    await append(event);
    await fed.hasApplied((applied += 1));
  };
  const letterAt = async (offset: bigint): Promise<Record<string, unknown>> => {
    const [letter] = await path.rows<Record<string, unknown>>(
      `SELECT dead_letter_id AS id, failure_code AS code, status, tenant_id AS tenant, record_value AS value FROM dead_letters
        WHERE log_offset = $1`,
      [offset.toString()],
    );
    return letter!;
  };

  beforeAll(async () => {
    path = await ReliablePath.open(1);
    harness = LOGS[name]!(path);
    await harness.log.provision(
      [TOPIC, DLQ].map((topic) => ({
        name: topic,
        partitions: 1,
        retentionMs: 10 ** 9,
        maxMessageBytes: topic === DLQ ? 2_000_000 : 1_000_000,
      })),
    );
    const consumer = path.consumer();
    fed = await FedConsumer.of(path, harness.log, consumer);
    publisher = new DeadLetterPublisher(
      new DeadLetterStore(path.work, GROUP, TOPIC),
      harness.log,
      () => consumer.partitions(TOPIC),
      { dlqTopic: DLQ, intervalMs: 20 },
      path.reports,
    );
    await harness.log.subscribe(
      { topic: DLQ, group: 'watcher', maxBatchRecords: 50, maxBatchBytes: 4_000_000 },
      dlq,
    );
  });
  afterAll(async () => {
    await fed.stop();
    await harness.close();
    await path.close();
  });

  const long = 'x'.repeat(NINE_TENTHS_OF_A_MEGABYTE);
  const cases: [string, () => string | EventEnvelope, string, { status?: string; ours?: boolean }?][] = [
    ['no JSON', () => 'reservation confirmed', 'NOT_JSON'],
    ['empty', () => '', 'NOT_JSON'],
    ['cut off', () => JSON.stringify(envelope()).slice(0, -9), 'NOT_JSON'],
    ['900 kB of brackets', () => '['.repeat(NINE_TENTHS_OF_A_MEGABYTE), 'NOT_JSON'],
    ['900 kB of text', () => JSON.stringify(long), 'INVALID_ENVELOPE'],
    [
      'an event of 900 kB that breaks its contract',
      () => envelope({ data: { long } }),
      'INVALID_EVENT_DATA',
      { ours: true },
    ],
    ['a list', () => '[1, 2]', 'INVALID_ENVELOPE'],
    ['of a version beyond any', () => envelope({ keySeq: 2 ** 31 }), 'INVALID_ENVELOPE'],
    [
      'of an unknown type',
      () => envelope({ type: 'spaceship.landed' }),
      'UNKNOWN_EVENT_TYPE',
      { ours: true },
    ],
    ['of an unknown version', () => envelope({ version: 2 }), 'UNKNOWN_EVENT_VERSION', { ours: true }],
    ['ahead of its key', () => envelope({ keySeq: 3 }), 'KEY_GAP', { status: 'PARKED', ours: true }],
  ];
  it.each(cases)('%s', async (_, make, code, { status = 'DEAD', ours = false } = {}) => {
    const made = make();
    const offset = await append(made);
    await goOn();
    const letter = await letterAt(offset);
    expect(letter).toMatchObject({ code, status, tenant: ours ? path.house.tenantId : PLATFORM_TENANT_ID });
    expect(
      (letter['value'] as Buffer).toString() === (typeof made === 'string' ? made : JSON.stringify(made)),
    ).toBe(true);
    await publisher.loop.runOnce();
    await dlq.ledger.events.until('the dead letter in its topic', () =>
      dlq.ledger.applied.some(({ headers }) => headers['ce_id'] === letter['id']),
    );
    const record = dlq.ledger.applied.find(({ headers }) => headers['ce_id'] === letter['id'])!;
    const published = JSON.parse(record.value!.toString()) as Record<string, unknown>;
    expect(published).toMatchObject({
      failureCode: code,
      failureCause: expect.stringMatching(/\w/),
      retryCount: 0,
      attemptedAt: expect.stringMatching(/^\d{4}-.*Z$/),
      source: { topic: TOPIC, partition: 0, offset: `${offset}` },
    });
    // The original: its fields where it is an object, else its bytes.
    const original = typeof made === 'string' ? Buffer.from(made).toString('base64') : made.eventId;
    expect([published['originalBase64'], published['eventId']].includes(original)).toBe(true);
    expect(fed.status()).toMatchObject({ connected: true, restarts: 0, lastError: null });
  });

  it('with another tenant in its header touches no key of either tenant', async () => {
    const event = envelope();
    const offset = await append(event, newId());
    await goOn(event);
    expect(await letterAt(offset)).toMatchObject({ code: 'TENANT_MISMATCH', tenant: PLATFORM_TENANT_ID });
  });

  it('of a version that another event has is kept, and its key goes on', async () => {
    const aggregateId = newId();
    await goOn(envelope({ aggregateId }));
    await goOn(envelope({ aggregateId, keySeq: 2 }));
    const rewind = await append(envelope({ aggregateId }));
    await goOn(envelope({ aggregateId, keySeq: 3 }));
    expect(await letterAt(rewind)).toMatchObject({
      code: 'KEY_REWIND',
      status: 'DEAD',
      tenant: path.house.tenantId,
    });
  });

  it('but for its size, of 900 kB, is applied', async () => {
    const event = envelope();
    await goOn({ ...event, data: { ...event.data, long } });
  });
});
