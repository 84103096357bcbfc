import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId } from '../../src/platform/kernel/ids.js';
import { withClient } from '../support/fixtures.js';
import { until } from '../support/http-client.js';
import { reservationData } from '../support/reliable-path.js';
import { Installation, type Service } from '../support/service.js';

interface Letters {
  readonly letters: readonly {
    readonly deadLetterId: string;
    readonly status: string;
    readonly code: string;
  }[];
}

describe('tartware dlq, with a service that runs', () => {
  let home: Installation;
  let service: Service;
  let superUrl: string;
  const aggregateId = newId();
  const rows = <T extends object>(text: string, values: unknown[] = []): Promise<T[]> =>
    withClient(superUrl, async (client) => (await client.query<T>(text, values)).rows);
  /** Looks until the service has done its part: it is another process, and tells nobody. */
  const done = (statement: string): Promise<unknown> =>
    until('the service has done its part', async () => {
      const [row] = await rows<{ done: boolean }>(statement, [aggregateId]);
      return row?.done || null;
    });

  beforeAll(async () => {
    home = await Installation.create();
    service = await home.start();
    superUrl = await home.superUrl();
    const [house] = await rows<{ tenant: string; property: string }>(
      `SELECT tenant_id AS tenant, property_id AS property FROM properties LIMIT 1`,
    );
    const event = {
      eventId: newId(),
      tenantId: house!.tenant,
      type: 'reservation.created',
      version: 1,
      aggregateType: 'reservation',
      aggregateId,
      keySeq: 1,
      occurredAt: '2027-03-01T10:00:00.000001Z',
      correlationId: newId(),
      data: reservationData({
        propertyId: house!.property,
        status: 'CONFIRMD',
        arrival: '2027-03-01',
        nightlyMinor: [100],
      }),
    };
    await rows(
      `WITH o AS (UPDATE event_log_partitions SET next_offset = next_offset + 1
                   WHERE topic = 'reservations.events' AND partition = 0 RETURNING next_offset - 1 AS at)
       INSERT INTO event_log_records (topic, partition, "offset", key, value, headers)
       SELECT 'reservations.events', 0, at, $1, $2, $3 FROM o`,
      [aggregateId, Buffer.from(JSON.stringify(event)), { ce_tenantid: house!.tenant }],
    );
    await done(`SELECT count(*) = 1 AS done FROM dead_letters WHERE aggregate_id = $1`);
  });
  afterAll(() => home.dispose());

  it('finds, patches and replays what was given up, and the running service applies it once', async () => {
    const { letters } = await home.json<Letters>(['dlq', 'list', '--tenant', 'demo']);
    expect(letters).toMatchObject([{ status: 'DEAD', code: 'INVALID_EVENT_DATA' }]);
    const id = letters[0]!.deadLetterId;
    const page = await home.cli(['dlq', 'inspect', id]);
    expect([page.code, page.stdout]).toEqual([0, expect.stringContaining('"status": "CONFIRMD"')]);
    await home.json(['dlq', 'patch', id, '--set', 'status=CONFIRMED', '--reason', 'typing error']);
    const dry = await home.json<Letters>(['dlq', 'replay', '--id', id, '--dry-run']);
    expect(dry.letters).toMatchObject([{ status: 'REPLAYING' }]);
    expect((await rows<{ status: string }>(`SELECT status FROM dead_letters`))[0]!.status).toBe('DEAD');
    await home.json(['dlq', 'replay', '--id', id, '--reason', 'patched']);
    await done(`SELECT status = 'RESOLVED' AS done FROM dead_letters WHERE aggregate_id = $1`);
    expect(await rows(`SELECT booked_rooms FROM occupancy_nights`)).toEqual([{ booked_rooms: 1 }]);
    expect(
      await rows(`SELECT action, actor LIKE 'cli:%' AS operator, changes->>'reason' AS reason FROM audit_log
        WHERE resource_type = 'dead_letter' ORDER BY occurred_at`),
    ).toEqual([
      { action: 'dead_letter.patched', operator: true, reason: 'typing error' },
      { action: 'dead_letter.replay_requested', operator: true, reason: 'patched' },
    ]);
    const text = await (await fetch(`${service.url}/metrics`)).text();
    expect(text).toContain('reservation_event_replayed_total 1');
  });

  it.each<[string, string[], number]>([
    ['without a reason', ['replay', '--all'], 2],
    ['without a filter', ['replay', '--reason', 'r'], 2],
    ['with a filter and --all', ['skip', '--all', '--code', 'KEY_GAP', '--reason', 'r'], 2],
    ['with a state that there is not', ['replay', '--status', 'DAED', '--reason', 'r'], 2],
    ['with an option that there is not', ['replay', '--tennant', 'demo', '--reason', 'r'], 2],
    ['with a tenant that there is not', ['skip', '--tenant', 'dmeo', '--reason', 'r'], 4],
    ['of a letter that there is not', ['patch', newId(), '--set', 'status=CONFIRMED', '--reason', 'r'], 4],
    ['of what is no id', ['inspect', 'one'], 2],
  ])('%s touches nothing', async (_, args, code) => {
    const before = await rows(`SELECT * FROM dead_letters`);
    expect((await home.cli(['dlq', ...args])).code).toBe(code);
    expect(await rows(`SELECT * FROM dead_letters`)).toEqual(before);
  });
});
