import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { slotOf } from '../../src/modules/outbox/contract/events.js';
import { withClient } from '../support/fixtures.js';
import { openHouse, type FrontDesk } from '../support/front-desk.js';
import { until, type HttpClient, type Json } from '../support/http-client.js';
import { Installation, type Service } from '../support/service.js';

let inst: Installation;
let service: Service;
let manager: HttpClient;
let desk: FrontDesk;

beforeAll(async () => {
  inst = await Installation.create();
  service = await inst.start();
  manager = await inst.client(service, 'manager');
  desk = await openHouse(manager, 'LIFE', 10);
}, 120_000);

afterAll(() => inst?.dispose());

const superuser = async (text: string): Promise<void> =>
  withClient(await inst.superUrl(), async (client) => void (await client.query(text)));
/** Books; answers the reservation and the request that made it. */
async function book(): Promise<{ id: string; request: string }> {
  const answer = await manager.post('/v1/reservations', desk.stay(0, 1));
  expect(answer.status).toBe(201);
  return { id: answer.body.data.id, request: answer.headers.get('x-correlation-id')! };
}
const stateOf = async (path: string): Promise<Json> => (await manager.data(200, manager.get(path))).state;
/** Books something that the relay doesn't see: as if a low-water mark were wrong. */
async function bookUnseen(): Promise<{ id: string; request: string }> {
  await superuser(`UPDATE outbox_slots SET low_water = 1000000000`);
  const booked = await book();
  await superuser(`UPDATE outbox_slots SET low_water = 0 WHERE slot <> ${slotOf(booked.id)}`);
  return booked;
}

describe('a request', () => {
  it('is found by the correlation id that its answer gave, and is applied', async () => {
    const { request } = await book();
    await until('applied', async () => (await stateOf(`/v1/requests/${request}`)) === 'APPLIED');
    const shown = await inst.json<Json>(['lifecycle', 'show', '--request', request]);
    expect([shown.state, shown.hindrance, shown.events.map((event: Json) => event.type)]).toEqual([
      'APPLIED',
      null,
      ['reservation.created'],
    ]);
  });

  it('that stands still goes on when an operator resumes it at the command line', async () => {
    const { id, request } = await bookUnseen();
    const resume = ['lifecycle', 'resume', '--request', request];
    const outcome = { open: 1, released: 0, publishedAgain: 0, replayed: 0, woken: 1, waiting: 0 };
    expect(await inst.json([...resume, '--dry-run'])).toEqual({ dryRun: true, ...outcome });
    expect(await stateOf(`/v1/reservations/${id}/lifecycle`)).toBe('PERSISTED');
    expect(await inst.json([...resume, '--reason', 'stands still'])).toEqual({ dryRun: false, ...outcome });
    await until('applied', async () => (await stateOf(`/v1/requests/${request}`)) === 'APPLIED');
    const told = await inst.cli(['lifecycle', 'show', '--request', request]);
    expect([told.code, told.stdout]).toEqual([
      0,
      expect.stringMatching(/resumed +\S+ by cli:\S+: 1 open: .*1 woken/),
    ]);
    const nothing = await inst.cli([...resume, '--reason', 'again']);
    expect(nothing.stdout).toBe('nothing to do: all is settled\n');
  });

  it('that stands still goes on when an operator resumes its reservation over HTTP', async () => {
    const { id } = await bookUnseen();
    const asked = await manager.post(`/v1/reservations/${id}/resume`, { reason: 'stands still' });
    expect([asked.status, asked.body.data.state]).toEqual([202, 'REQUESTED']);
    const path = `/v1/reservations/${id}/lifecycle`;
    await until('applied', async () => (await stateOf(path)) === 'APPLIED');
    const { resumptions } = await manager.data(200, manager.get(path));
    expect(resumptions).toMatchObject([
      { id: asked.body.data.id, state: 'DONE', outcome: { open: 1, woken: 1 } },
    ]);
  });
});

describe('every command', () => {
  it.each(['tenant', 'property', 'room_type', 'rate_plan', 'guest', 'reservation'])(
    'on a %s is stamped with its request, its actor and its times, and found by its request',
    async (aggregate) => {
      await book();
      const [event] = await withClient(await inst.superUrl(), async (client) => {
        const { rows } = await client.query<{ id: string; actor: string; received: Date; occurred: Date }>(
          `SELECT e.correlation_id AS id, e.actor, e.received_at AS received, e.occurred_at AS occurred FROM outbox_events e
             JOIN tenants t USING (tenant_id) WHERE t.code = 'demo' AND e.aggregate_type = $1 ORDER BY e.occurred_at DESC LIMIT 1`,
          [aggregate],
        );
        return rows;
      });
      expect(event!.actor).toMatch(/^(e2e-|system:)/);
      expect(Math.abs(event!.occurred.getTime() - event!.received.getTime())).toBeLessThan(60_000);
      const found = await until('applied', async () => {
        const data = await manager.data(200, manager.get(`/v1/requests/${event!.id}`));
        return data.state === 'APPLIED' && data;
      });
      const mine = found.events.find((one: Json) => one.aggregateType === aggregate);
      expect(mine).toMatchObject({ actor: event!.actor, correlationId: event!.id });
      for (const name of ['receivedAt', 'persistedAt', 'publishedAt', 'consumedAt', 'appliedAt'])
        expect(Date.parse(mine.checkpoints[name])).not.toBeNaN();
    },
  );
});

describe('lifecycle at the command line', () => {
  it.each([
    ['names neither request nor reservation', ['show'], 2],
    ['names both', ['show', '--request', '$id', '--reservation', '$id'], 2],
    ['gives no id', ['show', '--request', 'x'], 2],
    ['gives no reason', ['resume', '--request', '$id'], 2],
    ['is about an unknown request', ['show', '--request', '$id'], 4],
    ['tries an unknown request out', ['resume', '--request', '$id', '--dry-run'], 4],
    ['resumes an unknown request', ['resume', '--request', '$id', '--reason', 'x'], 4],
  ])('touches nothing when it %s', async (_, args, code) => {
    const id = '0190a1b2-0000-7000-8000-000000000000';
    const ended = await inst.cli(['lifecycle', ...args.map((arg) => arg.replace('$id', id))]);
    expect([ended.code, ended.stdout]).toEqual([code, '']);
  });
});

describe('/health/reliability', () => {
  it('answers without a token, with every figure against its thresholds', async () => {
    const { status, body } = await until('measured', async () => {
      const answer = await manager.get('/health/reliability');
      return answer.body.details !== null && answer;
    });
    expect([status, body.status]).toEqual([200, 'ok']);
    for (const figure of Object.values<Json>(body.figures))
      expect(figure).toEqual({
        value: expect.any(Number),
        warning: expect.any(Number),
        critical: expect.any(Number),
        level: 'ok',
      });
  });
});
