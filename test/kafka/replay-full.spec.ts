import { loadavg } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { dataFile, expectedOf, readText, rowsOf, type Expected } from '../support/hotel-file.js';
import { monthsOfReservations, NO_FAULTS, pathFaults } from '../support/house-sql.js';
import { dataIsThere, monthsOfOccupancy, outcomeOf, refusedInCsv, type Summary } from '../support/replay.js';
import type { Json } from '../support/http-client.js';
import { Installation } from '../support/service.js';

const ROOMS = 187;
const TIMEOUT_MS = 600_000;

/** Fourteen months of a real hotel's arrivals, whole. */
(dataIsThere() ? describe : describe.skip)('the replay of 20,660 real bookings', () => {
  let expected: Expected;
  let inst: Installation | null = null;

  beforeAll(() => {
    expected = expectedOf(rowsOf(readText(dataFile())), ROOMS);
  });

  afterEach(async () => {
    await inst?.dispose();
    inst = null;
  });

  it('begins from a calculation that agrees with the published counts', () => {
    expect({
      ...expected,
      refused: expected.refused.length,
      months: Object.keys(expected.months).length,
    }).toEqual({
      rows: 20_660,
      refusedEmptyParty: 6,
      refusedNoAvailability: 35,
      accepted: 20_619,
      checkedOut: 15_183,
      cancelled: 5_286,
      noShow: 150,
      roomNights: 62_995,
      revenueMinor: 609_029_805,
      commands: 20_660 + 2 * 15_183 + 5_286 + 150,
      refused: 41,
      firstWithoutRoom: 10_216,
      months: 15,
    });
  });

  const replayed = async (log: string, env: Record<string, string>): Promise<void> => {
    inst = await Installation.create(env, { disk: true });
    await inst.json(['seed']);
    const args = ['replay', 'hotel-bookings', dataFile(), '--property', 'RESORT', '--rooms', String(ROOMS)];
    const summary = await inst.json<Summary>(args);
    process.stdout.write(
      `${log}: ${summary.commandsPerSecond} commands/s, ${summary.seconds} s in all (load ${loadavg()[0]!.toFixed(1)})\n`,
    );
    expect(summary).toMatchObject({ ...outcomeOf(expected), commands: expected.commands });
    expect(summary).toMatchObject({
      applied: expected.commands - expected.refused.length,
      pending: 0,
      deadLettered: 0,
    });
    expect(refusedInCsv(join(inst.home, 'replays', 'RESORT-refused.csv'))).toEqual(expected.refused);
    const again = await inst.json<Summary>(args);
    expect(again).toMatchObject({ ...outcomeOf(expected), commands: 0 });
    // The service beside which the database runs, for a look that goes through none of our code.
    const service = await inst.start(env);
    const superUrl = await inst.superUrl();
    expect(await monthsOfReservations(superUrl, 'RESORT')).toEqual(expected.months);
    const client = await inst.client(service);
    const properties: Json[] = await client.data(200, client.get('/v1/properties'));
    const { id } = properties.find(({ code }) => code === 'RESORT');
    // The file's nights are of 2015-07 to 2016-09; what lies around them must be empty.
    expect(await monthsOfOccupancy(client, id, '2013-07-01', '2017-01-01')).toEqual(expected.months);
    expect(await pathFaults(superUrl)).toEqual(NO_FAULTS);
    expect((await service.stop('SIGINT')).code).toBe(0);
  };

  it(
    'gives every count on the embedded default, and adds nothing when it is run again',
    () => replayed('embedded', {}),
    TIMEOUT_MS,
  );

  it(
    'gives every count through a real Kafka, and adds nothing when it is run again',
    () =>
      replayed('Kafka', {
        KAFKA_BROKERS: process.env['KAFKA_BROKERS']!,
        RESERVATION_TOPIC: 'replay.events',
        RESERVATION_DLQ_TOPIC: 'replay.events.dlq',
        KAFKA_CONSUMER_GROUP: 'replay',
      }),
    TIMEOUT_MS,
  );
});
