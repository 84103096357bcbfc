import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  LifecycleQueries,
  type ReservationLifecycle,
} from '../../src/modules/lifecycle/queries/lifecycle-queries.js';
import { OccupancyQueries } from '../../src/modules/occupancy/queries/occupancy-queries.js';
import {
  RecordRefusedError,
  type LogPosition,
  type LogRecord,
} from '../../src/platform/event-log/event-log.js';
import { MemoryEventLog } from '../../src/platform/event-log/memory/memory-event-log.js';
import { isoDate } from '../../src/platform/kernel/dates.js';
import { newId } from '../../src/platform/kernel/ids.js';
import { clerkOf, createHouse } from '../support/fixtures.js';
import { reservationData, ReliablePath, type Stay } from '../support/reliable-path.js';

/** A log that takes nothing of one key. */
class PickyLog extends MemoryEventLog {
  refuses = '';

  override async append(topic: string, records: readonly LogRecord[]): Promise<LogPosition[]> {
    if (records.some(({ key }) => key === this.refuses)) throw new RecordRefusedError('too large');
    return super.append(topic, records);
  }
}

const INSERT = `
  INSERT INTO reservations (tenant_id, reservation_id, property_id, confirmation_number, status, room_type_id, rate_plan_id,
    guest_id, arrival, departure, day_use, adults, children, babies, currency, nightly_minor, origin)
  VALUES ($1, $2, $3, $4, 'CONFIRMED', $5, $6, $7, '2027-03-01', '2027-03-03', false, 1, 0, 0, 'EUR', '{100,200}', 'http')`;

describe('the lifecycle of a reservation', () => {
  let path: ReliablePath;
  let queries: LifecycleQueries;
  let numbers = 0;

  beforeAll(async () => {
    path = await ReliablePath.open();
    queries = new LifecycleQueries(path.uow);
  });
  afterAll(() => path.close());

  const state = (status: string): Stay => ({
    propertyId: path.house.propertyId,
    status,
    arrival: '2027-03-01',
    nightlyMinor: [100, 200],
  });
  /** A reservation with its first event. */
  async function reservation(): Promise<string> {
    const { house } = path;
    const id = newId();
    const number = `ABCDEFG${'23456789'[numbers++]!}`;
    await path.rows(INSERT, [
      ...[house.tenantId, id, house.propertyId, number, house.roomTypeId, house.ratePlanId, house.guestId],
    ]);
    await path.reserve(id, 1, reservationData(state('CONFIRMED')), 'reservation.created');
    return id;
  }
  const look = (id: string, before: number | null = null, limit = 50): Promise<ReservationLifecycle> =>
    queries.ofReservation(clerkOf(path.house), id, before, limit);

  it('follows the stored checkpoints from the commit to the effect', async () => {
    const id = await reservation();
    const persisted = await look(id);
    expect(persisted).toMatchObject({ state: 'PERSISTED', next: 'The relay puts it into the event log.' });
    await path.drain();
    expect(await look(id)).toMatchObject({ state: 'PUBLISHED', next: 'The consumer applies it.' });
    await path.consume(path.consumer());
    const applied = await look(id);
    expect(applied).toMatchObject({ state: 'APPLIED', next: 'Nothing: it is done.' });
    const [event] = applied.events;
    expect(event).toMatchObject({
      type: 'reservation.created',
      keySeq: 1,
      actor: 'tester',
      state: 'APPLIED',
      hindrance: null,
    });
    expect(event!.checkpoints).toMatchObject({
      ...persisted.events[0]!.checkpoints,
      ...appliedTimes(event!.checkpoints),
    });
    for (const name of ['receivedAt', 'persistedAt', 'publishedAt', 'consumedAt', 'appliedAt'] as const)
      expect(event!.checkpoints[name]).toMatch(/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z$/);
    expect(applied.since).toBe(event!.checkpoints.appliedAt);
  });

  const appliedTimes = ({
    publishedAt,
    consumedAt,
    appliedAt,
  }: ReservationLifecycle['events'][0]['checkpoints']): object => ({
    publishedAt,
    consumedAt,
    appliedAt,
  });

  it('tells of the first event that is not applied, why, and what holds the later ones up', async () => {
    const id = await reservation();
    await path.reserve(id, 2, { propertyId: 'broken' });
    await path.reserve(id, 3, reservationData(state('CHECKED_IN'), state('CONFIRMED')));
    await path.drain();
    await path.consume(path.consumer());
    const { state: present, next, events } = await look(id);
    expect([present, next]).toEqual([
      'DLQ',
      'Nothing by itself: an operator looks at the cause, then replays or skips it.',
    ]);
    expect(
      events.map(({ keySeq, state: where, hindrance }) => [
        keySeq,
        where,
        hindrance?.status,
        hindrance?.code,
      ]),
    ).toEqual([
      [3, 'DLQ', 'PARKED', 'KEY_PARKED'],
      [2, 'DLQ', 'DEAD', 'INVALID_EVENT_DATA'],
      [1, 'APPLIED', undefined, undefined],
    ]);
  });

  it('shows what the relay can not publish, and when it tries again', async () => {
    const id = await reservation();
    await path.reserve(id, 2, reservationData(state('CHECKED_IN'), state('CONFIRMED')));
    const log = new PickyLog({ store: path.store });
    log.refuses = id;
    await path.releaseDrainer();
    const relay = path.relay(log, { retryScheduleMs: [60_000] });
    await path.drain(relay);
    const failed = await look(id);
    expect(failed).toMatchObject({ state: 'PERSISTED', next: expect.stringContaining('tries again at') });
    expect(failed.events.map(({ hindrance }) => hindrance)).toMatchObject([
      { status: 'PARKED', code: 'KEY_BLOCKED', nextAttemptAt: null },
      {
        status: 'FAILED',
        code: 'RECORD_REFUSED',
        cause: 'too large',
        attempts: 1,
        nextAttemptAt: expect.stringMatching(/Z$/),
      },
    ]);
    await path.rows(`UPDATE outbox_blocked_keys SET next_attempt_at = now()`);
    await path.drain(relay);
    expect(await look(id)).toMatchObject({
      state: 'DLQ',
      events: [{ state: 'PERSISTED' }, { state: 'DLQ' }],
    });
    await relay.stop();
  });

  it('is read page by page, newest first', async () => {
    const id = await reservation();
    for (let version = 2; version <= 5; version++)
      await path.reserve(id, version, reservationData(state('CONFIRMED'), state('CONFIRMED')));
    const seqs = async (before: number | null): Promise<number[]> =>
      (await look(id, before, 2)).events.map(({ keySeq }) => keySeq);
    expect([await seqs(null), await seqs(4), await seqs(2)]).toEqual([[5, 4], [3, 2], [1]]);
  });

  it("is not found for an unknown reservation and for another tenant's, alike", async () => {
    const id = await reservation();
    const stranger = clerkOf(await createHouse(path.db));
    const unknown = queries
      .ofReservation(clerkOf(path.house), newId(), null, 10)
      .catch((error: unknown) => error);
    const foreign = queries.ofReservation(stranger, id, null, 10).catch((error: unknown) => error);
    expect(await unknown).toMatchObject({ code: 'RESERVATION_NOT_FOUND', category: 'NOT_FOUND' });
    expect(await foreign).toEqual(await unknown);
  });

  it('answers occupancy with capacity and totals, and nothing to strangers', async () => {
    const occupancy = new OccupancyQueries(path.uow);
    const [from, to] = [isoDate('2027-03-01'), isoDate('2027-03-04')];
    await path.rows(`DELETE FROM occupancy_nights`);
    await path.rows(
      `INSERT INTO occupancy_nights VALUES ($1, $2, '2027-03-01', 4, 40000, 1, 10000), ($1, $2, '2027-03-03', 1, -50, 0, 0)`,
      [path.house.tenantId, path.house.propertyId],
    );
    const { data: report } = await occupancy.report(
      clerkOf(path.house),
      path.house.propertyId,
      from,
      to,
      null,
    );
    expect(
      report!.nights.map(({ night, bookedRooms, rooms, occupancyPercent }) => [
        night,
        bookedRooms,
        rooms,
        occupancyPercent,
      ]),
    ).toEqual([
      ['2027-03-01', 4, 10, 40],
      ['2027-03-02', 0, 10, 0],
      ['2027-03-03', 1, 10, 10],
    ]);
    expect(report!.totals).toEqual({
      bookedRooms: 5,
      bookedRevenueMinor: 39_950,
      stayedRooms: 1,
      stayedRevenueMinor: 10_000,
      rooms: 30,
      occupancyPercent: 16.67,
    });
    const stranger = clerkOf(await createHouse(path.db));
    await expect(occupancy.report(stranger, path.house.propertyId, from, to, null)).rejects.toMatchObject({
      code: 'PROPERTY_NOT_FOUND',
    });
    await expect(occupancy.report(stranger, path.house.propertyId, to, from, null)).rejects.toMatchObject({
      code: 'RANGE_INVALID',
    });
    const far = isoDate('2028-04-06');
    await expect(occupancy.report(stranger, path.house.propertyId, from, far, null)).rejects.toMatchObject({
      code: 'RANGE_TOO_LONG',
    });
  });
});
