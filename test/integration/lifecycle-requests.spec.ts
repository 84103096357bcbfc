import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { Resumer } from '../../src/modules/lifecycle/auditor/resumer.js';
import { stateOf } from '../../src/modules/lifecycle/domain/lifecycle-state.js';
import { LifecycleHttpModule } from '../../src/modules/lifecycle/lifecycle.module.js';
import { appendChanges } from '../../src/modules/outbox/contract/append-changes.js';
import type { AggregateType } from '../../src/modules/outbox/contract/events.js';
import { parkKeys } from '../../src/modules/outbox/contract/queue-control.js';
import { OutboxRelay } from '../../src/modules/outbox/relay/outbox-relay.js';
import { openDataSource } from '../../src/platform/database/data-source.js';
import { BackgroundWork, UnitOfWork } from '../../src/platform/database/unit-of-work.js';
import { MemoryEventLog } from '../../src/platform/event-log/memory/memory-event-log.js';
import { newId } from '../../src/platform/kernel/ids.js';
import { clerkOf, createHouse, type TestHouse } from '../support/fixtures.js';
import { GROUP, Reports, TOPIC } from '../support/reliable-path.js';
import { HttpApp, type Answer } from './http-app.js';

const SINK = new Reports();

describe('requests over HTTP', () => {
  let app: HttpApp;
  let house: TestHouse;
  let source: DataSource;
  let work: BackgroundWork;
  let log: MemoryEventLog;
  let relay: OutboxRelay;
  let resumer: Resumer;
  let token: string;

  beforeAll(async () => {
    app = await HttpApp.start([LifecycleHttpModule]);
    house = await createHouse(app.database);
    source = await openDataSource(app.database.workerUrl, {
      poolSize: 8,
      applicationName: 'test',
      entities: [],
    });
    work = new BackgroundWork(source);
    log = new MemoryEventLog();
    await log.provision([{ name: TOPIC, partitions: 4, retentionMs: 10 ** 9, maxMessageBytes: 100_000 }]);
    relay = new OutboxRelay(
      work,
      log,
      { topic: TOPIC, leaseMs: 10_000, sweepIntervalMs: 20, batchSize: 100, retryScheduleMs: [0, 0] },
      SINK,
    );
    resumer = new Resumer(work, log, { group: GROUP, topic: TOPIC, publishedStallMs: 60_000 }, SINK);
    token = await app.tokenFor('manager', house.tenantId);
  });
  afterAll(async () => {
    await relay.stop();
    await source.destroy();
    await app.stop();
  });

  const drain = async (): Promise<void> => {
    while (await relay.runOnce());
  };
  /** A request that changes these aggregates, each in its version. */
  async function request(
    aggregates: readonly (readonly [AggregateType, string, number])[],
    of: TestHouse = house,
  ): Promise<string> {
    const ctx = clerkOf(of);
    await app.nest.get(UnitOfWork).run(ctx, 'test.request', (tx) =>
      appendChanges(
        tx,
        ctx,
        aggregates.map(([aggregateType, aggregateId, version]) => ({
          aggregateType,
          aggregateId,
          version,
          type: `${aggregateType}.changed`,
          data: {},
          changes: {},
        })),
      ),
    );
    return ctx.correlationId;
  }
  const get = (id: string, query = ''): Promise<Answer> =>
    app.call('GET', `/v1/requests/${id}${query}`, { token });
  const resume = (id: string, body: object = { reason: 'broker restored' }, key?: string): Promise<Answer> =>
    app.call('POST', `/v1/requests/${id}/resume`, { token, body, ...(key && { key }) });
  /** As the consumer does. */
  const apply = (aggregateId: string, seq: number): Promise<object[]> =>
    app.sql(
      `WITH e AS (SELECT * FROM outbox_events WHERE aggregate_id = $1 AND key_seq = $2),
        i AS (INSERT INTO event_inbox (tenant_id, aggregate_id, key_seq, occurred_at, event_id, consumed_at)
              SELECT tenant_id, aggregate_id, key_seq, occurred_at, event_id, now() FROM e)
       INSERT INTO event_key_marks (tenant_id, aggregate_id, applied_seq) SELECT tenant_id, aggregate_id, key_seq FROM e
       ON CONFLICT (tenant_id, aggregate_id) DO UPDATE SET applied_seq = excluded.applied_seq`,
      [aggregateId, seq],
    );
  /** As the consumer does with an event that it gives up. */
  const bury = (aggregateId: string, seq: number, status = 'DEAD'): Promise<object[]> =>
    app.sql(
      `INSERT INTO dead_letters (tenant_id, dead_letter_id, consumer_group, topic, partition, log_offset, event_id, aggregate_id,
         key_seq, occurred_at, status, record_headers, retry_count, attempted_at, failure_code, failure_cause)
       SELECT tenant_id, gen_random_uuid(), $3, $4, 0, $2::int, event_id, aggregate_id, key_seq, occurred_at, $5, '{}', 3, now(),
              'PROJECTION_FAILED', 'broken' FROM outbox_events WHERE aggregate_id = $1 AND key_seq = $2::int`,
      [aggregateId, seq, GROUP, TOPIC, status],
    );

  it('are found with every event that they caused, of all aggregates, each stamped', async () => {
    const [guest, property] = [newId(), newId()];
    const id = await request([
      ['guest', guest, 1],
      ['property', property, 1],
    ]);
    const { status, body } = await get(id);
    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      correlationId: id,
      state: 'PERSISTED',
      next: 'The relay puts it into the event log.',
      hindrance: null,
      resumptions: [],
    });
    expect(body.data.events.map((one: { aggregateType: string }) => one.aggregateType).sort()).toEqual([
      'guest',
      'property',
    ]);
    for (const event of body.data.events)
      expect(event).toMatchObject({
        correlationId: id,
        actor: 'clerk',
        state: 'PERSISTED',
        checkpoints: { receivedAt: expect.any(String), persistedAt: expect.any(String), publishedAt: null },
      });
    expect(body.data.since).toBe(body.data.events[0].checkpoints.persistedAt);
  });

  it('stand where their least advanced event stands, whichever page shows it', async () => {
    const ids = Array.from({ length: 5 }, newId).sort();
    const id = await request(ids.map((one) => ['guest', one, 1] as const));
    const seen: string[] = [];
    for (const [i, expected] of (
      ['PUBLISHED', 'PUBLISHED', 'PUBLISHED', 'PUBLISHED', 'APPLIED'] as const
    ).entries()) {
      await drain();
      await apply(ids[i]!, 1);
      expect((await get(id, '?limit=2')).body.data.state).toBe(expected);
    }
    for (let query = '?limit=2'; query;) {
      const { body } = await get(id, query);
      seen.push(...body.data.events.map((event: { aggregateId: string }) => event.aggregateId));
      const { nextCursor } = body.pagination;
      query = nextCursor ? `?limit=2&cursor=${nextCursor}` : '';
    }
    expect(seen).toEqual(ids);
  });

  it('rank their states in SQL as the rules do', async () => {
    const [guest, other] = [newId(), newId()];
    const id = await request([
      ['guest', guest, 1],
      ['guest', other, 1],
    ]);
    await drain();
    await bury(guest, 1);
    await apply(other, 1);
    const { body } = await get(id);
    expect([body.data.state, body.data.hindrance.code]).toEqual(['DLQ', 'PROJECTION_FAILED']);
    expect(body.data.hindrance.remedy).toContain(`lifecycle resume --request ${id}`);
    await app.sql(`UPDATE dead_letters SET status = 'SKIPPED', skipped_at = now() WHERE aggregate_id = $1`, [
      guest,
    ]);
    const skipped = (await get(id)).body.data;
    expect([skipped.state, skipped.next, skipped.hindrance]).toEqual([
      'SKIPPED',
      'Nothing: an operator skipped it, and it has no effect.',
      null,
    ]);
    for (const { checkpoints, state } of skipped.events) expect(stateOf(checkpoints).state).toBe(state);
  });

  it("are 404 with the same bytes when unknown and when another tenant's", async () => {
    const theirs = await request([['guest', newId(), 1]], await createHouse(app.database));
    const correlation = { 'x-correlation-id': newId() };
    const ask = (method: string, path: string, body?: object): Promise<Answer> =>
      app.call(method, path, { token, headers: correlation, ...(body && { body }) });
    const unknown = await ask('GET', `/v1/requests/${newId()}`);
    expect([unknown.status, unknown.body.error.code]).toEqual([404, 'REQUEST_NOT_FOUND']);
    expect((await ask('GET', `/v1/requests/${theirs}`)).text).toBe(unknown.text);
    expect((await ask('POST', `/v1/requests/${theirs}/resume`, { reason: 'x' })).text).toBe(unknown.text);
    expect((await ask('POST', `/v1/reservations/${newId()}/resume`, { reason: 'x' })).body.error.code).toBe(
      'RESERVATION_NOT_FOUND',
    );
    expect((await get('nothing')).body.error.code).toBe('ID_INVALID');
    for (const cursor of ['eA', Buffer.from('["2027-99-01T00:00:00.000000Z","x","1"]').toString('base64url')])
      expect((await get(theirs, `?cursor=${cursor}`)).body.error.code).toBe('CURSOR_INVALID');
  });

  it('may be resumed by managers, with a reason and an Idempotency-Key, and read by all', async () => {
    const id = await request([['guest', newId(), 1]]);
    const staff = await app.tokenFor('staff', house.tenantId);
    expect((await app.call('GET', `/v1/requests/${id}`, { token: staff })).status).toBe(200);
    const path = `/v1/requests/${id}/resume`;
    const refused = await app.call('POST', path, { token: staff, body: { reason: 'x' } });
    expect([refused.status, refused.body.error.details.permission]).toEqual([403, 'lifecycle:resume']);
    expect((await resume(id, {})).body.error.code).toBe('FIELD_REQUIRED');
    const keyless = await app.call('POST', path, { token, body: { reason: 'x' }, key: null });
    expect(keyless.body.error.code).toBe('IDEMPOTENCY_KEY_REQUIRED');
    const [first, again] = [await resume(id, undefined, 'key-1'), await resume(id, undefined, 'key-1')];
    expect([first.status, first.body.data.state, again.text]).toEqual([202, 'REQUESTED', first.text]);
    const { body } = await get(id);
    expect(body.data.resumptions.map((one: { id: string; state: string }) => [one.id, one.state])).toEqual([
      [first.body.data.id, 'REQUESTED'],
    ]);
    await resumer.loop.runOnce();
  });

  it('go on from the last checkpoint of each of their keys, recorded under the operator', async () => {
    const [held, lost, dead, done, waiting] = Array.from({ length: 5 }, newId) as [
      string,
      string,
      string,
      string,
      string,
    ];
    // An earlier request holds the first key; that one goes on with it.
    await request([['guest', held, 1]]);
    await work.run('test.park', (tx) =>
      parkKeys(tx, [{ tenantId: house.tenantId, aggregateId: held }], 'by hand'),
    );
    const id = await request([
      ['guest', held, 2],
      ['guest', lost, 1],
      ['guest', dead, 1],
      ['guest', done, 1],
      ['guest', waiting, 1],
    ]);
    await drain();
    await bury(dead, 1);
    await apply(done, 1);
    await app.sql(`UPDATE event_receipts SET partition = 3, log_offset = 1000000 WHERE aggregate_id = $1`, [
      lost,
    ]);
    const would = await resumer.preview(house.tenantId, { type: 'request', id });
    const outcome = { open: 5, released: 2, publishedAgain: 1, replayed: 1, woken: 0, waiting: 1 };
    expect(would).toEqual(outcome);
    expect(await app.sql(`SELECT 1 FROM outbox_blocked_keys`)).toHaveLength(1);
    const asked = await resume(id);
    while (await resumer.loop.runOnce());
    expect(await app.sql(`SELECT 1 FROM outbox_blocked_keys`)).toEqual([]);
    expect((await get(id)).body.data.resumptions).toEqual([
      {
        ...asked.body.data,
        state: 'DONE',
        doneAt: expect.stringMatching(/Z$/),
        outcome,
      },
    ]);
    await drain();
    const published = await app.sql<{ n: number }>(
      `SELECT count(*)::int AS n FROM event_receipts WHERE aggregate_id = ANY($1) AND requeued_at IS NULL`,
      [[held, lost]],
    );
    expect(published).toEqual([{ n: 3 }]);
    expect(
      await app.sql(`SELECT status, replay_count FROM dead_letters WHERE aggregate_id = $1`, [dead]),
    ).toEqual([{ status: 'REPLAYING', replay_count: 1 }]);
    const replaying = (await get(id)).body.data.events.find(
      (event: { aggregateId: string }) => event.aggregateId === dead,
    );
    expect([replaying.state, replaying.next]).toEqual([
      'DLQ',
      'It is on its way again: the consumer applies it.',
    ]);
    const acts = await app.sql(
      `SELECT actor, source, resource_type, correlation_id, changes FROM audit_log WHERE action = 'lifecycle.resumed' AND resource_id = $1`,
      [id],
    );
    expect(acts).toEqual([
      {
        actor: 'tester',
        source: 'http',
        resource_type: 'request',
        correlation_id: asked.headers['x-correlation-id'],
        changes: { reason: 'broker restored', ...outcome },
      },
    ]);
  });

  it('say that there is nothing to do when all is applied', async () => {
    const guest = newId();
    const id = await request([['guest', guest, 1]]);
    await drain();
    await apply(guest, 1);
    await resume(id);
    while (await resumer.loop.runOnce());
    const [resumption] = (await get(id)).body.data.resumptions;
    expect(resumption.outcome).toEqual({
      open: 0,
      released: 0,
      publishedAgain: 0,
      replayed: 0,
      woken: 0,
      waiting: 0,
    });
  });

  it('are resumed once each, by two workers at once', async () => {
    const ids = await Promise.all(Array.from({ length: 6 }, () => request([['guest', newId(), 1]])));
    for (const id of ids) await resume(id);
    const other = new Resumer(work, log, { group: GROUP, topic: TOPIC, publishedStallMs: 60_000 }, SINK);
    const drainOf = async (one: Resumer): Promise<void> => {
      while (await one.loop.runOnce());
    };
    await Promise.all([drainOf(resumer), drainOf(other)]);
    const rows = await app.sql<{ resource_id: string }>(
      `SELECT resource_id FROM audit_log WHERE action = 'lifecycle.resumed' AND resource_id = ANY($1)`,
      [ids],
    );
    expect(rows.map(({ resource_id }) => resource_id).sort()).toEqual([...ids].sort());
  });
});
