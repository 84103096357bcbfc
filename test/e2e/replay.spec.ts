import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { readBookings } from '../../src/modules/imports/commands/read-bookings.js';
import { BrokenFileError } from '../../src/modules/imports/domain/hotel-booking.js';
import {
  dataFile,
  expectedOf,
  isoOf,
  readText,
  rowsOf,
  type Expected,
  type FileRow,
  type FileText,
} from '../support/hotel-file.js';
import {
  ask,
  monthsOfReservations,
  NO_FAULTS,
  pathFaults,
  rowCounts,
  settledCounts,
} from '../support/house-sql.js';
import { until, type HttpClient } from '../support/http-client.js';
import { dataIsThere, monthsOfOccupancy, outcomeOf, refusedInCsv, type Summary } from '../support/replay.js';
import { Installation, type Ended, type Service } from '../support/service.js';

const ROOMS = 20;
/** Short lead times, so that the walk has half a year of days and not three years; up to a row that refuses everything. */
const MAX_LEAD = 21;
const LAST_ROW = 4_300;

const describeWithData = dataIsThere() ? describe : describe.skip;

describeWithData('a replay of real bookings', () => {
  let inst: Installation;
  let whole: FileText;
  let rows: FileRow[];
  let expected: Expected;
  let slice: string;
  let service: Service | undefined;

  /** A file with these lines under the real header. */
  const fileOf = (name: string, lines: readonly string[], header = whole.header): string => {
    const path = join(inst.home, name);
    writeFileSync(path, [header, ...lines, ''].join('\n'));
    return path;
  };
  const args = (file: string, property: string, rooms = ROOMS): string[] => [
    ...['replay', 'hotel-bookings', file],
    ...['--property', property, '--rooms', String(rooms)],
  ];
  const replay = (property: string): Promise<Summary> => inst.json<Summary>(args(slice, property));

  beforeAll(async () => {
    inst = await Installation.create();
    whole = readText(dataFile());
    const lines = rowsOf(whole)
      .slice(0, LAST_ROW)
      .filter(({ lead }) => lead <= MAX_LEAD)
      .map(({ line }) => line);
    slice = fileOf('slice.csv', lines);
    rows = rowsOf({ header: whole.header, lines });
    expected = expectedOf(rows, ROOMS);
  });

  afterAll(() => inst?.dispose());

  it('the slice has every kind of row: refused for its party, for want of a room, cancelled, not come, gone', () => {
    const kinds = [
      expected.refusedEmptyParty,
      expected.refusedNoAvailability,
      expected.cancelled,
      expected.noShow,
      expected.checkedOut,
      rows.filter(({ nights, status }) => nights === 0 && status === 'Check-Out').length,
      rows.filter(({ cents }) => cents === 0).length,
    ];
    expect(Math.min(...kinds)).toBeGreaterThan(0);
    expect(rows.length).toBeGreaterThan(900);
  });

  it('ends with every count of the independent calculation', async () => {
    const summary = await replay('WHOLE');
    expect(summary).toMatchObject({ ...outcomeOf(expected), commands: expected.commands });
    process.stdout.write(
      `replay of ${rows.length} rows: ${summary.commandsPerSecond} commands/s, ${summary.seconds} s\n`,
    );
  });

  it('names the refused rows with their codes in a CSV of its own', () => {
    expect(refusedInCsv(join(inst.home, 'replays', 'WHOLE-refused.csv'))).toEqual(expected.refused);
  });

  it('killed at three random moments and run again, ends with the same counts, and tries no refused row again', async () => {
    // Random, and told: a failure can be repeated with the same moments.
    const moments = [0.05, 0.35, 0.65].map((from) => Math.floor((from + 0.25 * Math.random()) * rows.length));
    process.stdout.write(`killed once the ledger has ${moments.join(', ')} of ${rows.length} rows\n`);
    const ledger = async (): Promise<{ row: number; code: string | null; written: string }[]> =>
      ask(
        await inst.superUrl(),
        `SELECT row_number AS row, l.code, l.xmin::text || l.ctid::text AS written FROM import_ledger l
          JOIN imports USING (tenant_id, import_id) JOIN properties p USING (tenant_id, property_id)
         WHERE p.code = 'KILLED' ORDER BY row_number`,
      );
    // One connection for all looks: a new one each would be slower than the walk.
    let looking: pg.Client | null = null;
    const ledgerHas = async (count: number): Promise<boolean> => {
      if (!looking) {
        looking = new pg.Client({ connectionString: await inst.superUrl() });
        await looking.connect().catch((error: unknown) => {
          looking = null;
          throw error;
        });
      }
      const { rows: found } = await looking.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM import_ledger JOIN imports i USING (tenant_id, import_id)
          WHERE i.property_id = (SELECT property_id FROM properties WHERE code = 'KILLED')`,
      );
      return found[0]!.n >= count;
    };
    for (const moment of moments) {
      const running = inst.command(args(slice, 'KILLED'));
      await Promise.race([
        until(`${moment} rows in the ledger`, () => ledgerHas(moment), 60_000, 2),
        running.ended.then(({ code, stderr }) => {
          throw new Error(`it ended by itself with ${code}: ${stderr}`);
        }),
      ]);
      expect((await running.stop('SIGKILL')).code).toBe(137);
    }
    await (looking as pg.Client | null)?.end();
    // The killed run's last transaction has ended before anything is counted.
    const url = await inst.superUrl();
    await until('no session of the killed run', async () => {
      const [row] = await ask<{ n: number }>(
        url,
        `SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename IN ('tartware_app', 'tartware_worker')`,
      );
      return row!.n === 0;
    });
    const before = await ledger();
    const [done] = await ask<{ events: number }>(
      url,
      `SELECT count(*)::int AS events FROM outbox_events e JOIN import_ledger l ON l.reservation_id = e.aggregate_id
         JOIN imports i ON i.import_id = l.import_id JOIN properties p ON p.property_id = i.property_id WHERE p.code = 'KILLED'`,
    );
    // Beside the service, which keeps the server up for what is looked at from here on.
    service = await inst.start();
    const summary = await replay('KILLED');
    expect(summary).toMatchObject(outcomeOf(expected));
    const refusedBefore = before.filter(({ code }) => code !== null);
    expect(summary.commands).toBe(expected.commands - done!.events - refusedBefore.length);
    const after = new Map((await ledger()).map((entry) => [entry.row, entry]));
    for (const entry of before) expect(after.get(entry.row)).toEqual(entry);
    expect(after.size).toBe(rows.length);
    expect(refusedInCsv(join(inst.home, 'replays', 'KILLED-refused.csv'))).toEqual(expected.refused);
  });

  describe('seen from the service', () => {
    let client: HttpClient;
    let url: string;
    const ids = new Map<string, string>();

    beforeAll(async () => {
      service ??= await inst.start();
      url = await inst.superUrl();
      client = await inst.client(service);
      for (const { code, id } of await client.data(200, client.get('/v1/properties'))) ids.set(code, id);
    });

    it('run once more adds nothing, in no table', async () => {
      const before = await settledCounts(url);
      expect(await replay('KILLED')).toMatchObject({ ...outcomeOf(expected), commands: 0 });
      expect(await rowCounts(url)).toEqual(before);
    });

    it('every row became what the file says of it', async () => {
      const word: Record<string, string> = {
        'Check-Out': 'CHECKED_OUT',
        Canceled: 'CANCELLED',
        'No-Show': 'NO_SHOW',
      };
      const refused = new Set(expected.refused.map(({ row }) => row));
      const wanted = rows
        .filter(({ row }) => !refused.has(row))
        .map(({ row, arrival, nights, status, cents }) => ({
          row,
          stay: `${isoOf(arrival)} ${isoOf(arrival + nights)} ${word[status]} ${nights * cents}`,
        }));
      for (const code of ['WHOLE', 'KILLED']) {
        const found = await ask<{ row: number; stay: string }>(
          url,
          `SELECT external_id::int AS row, concat_ws(' ', arrival, departure, status,
              coalesce((SELECT sum(n) FROM unnest(nightly_minor) n), 0)) AS stay
             FROM reservations r JOIN properties p USING (tenant_id, property_id) WHERE p.code = $1 ORDER BY 1`,
          [code],
        );
        expect(found).toEqual(wanted);
      }
    });

    it('nights and revenue by month are those of the independent calculation, from reservations and from GET occupancy', async () => {
      const from = isoOf(Math.min(...rows.map(({ arrival }) => arrival)));
      const to = isoOf(Math.max(...rows.map(({ arrival, nights }) => arrival + nights)) + 1);
      for (const code of ['WHOLE', 'KILLED']) {
        expect(await monthsOfReservations(url, code)).toEqual(expected.months);
        expect(await monthsOfOccupancy(client, ids.get(code)!, from, to)).toEqual(expected.months);
      }
    });

    it('everything is applied once: nothing pending, no dead letter, counters and read model equal a recount', async () => {
      expect(await pathFaults(url)).toEqual(NO_FAULTS);
    });

    it("the property stands on the day after the file's last", async () => {
      const last = Math.max(
        ...rows.flatMap(({ arrival, nights, ended, status, booked }) =>
          status === 'Check-Out' ? [arrival, arrival + nights] : [ended, booked],
        ),
      );
      const { businessDate } = await client.data(200, client.get(`/v1/properties/${ids.get('WHOLE')!}`));
      expect(businessDate).toBe(isoOf(last + 1));
    });

    describe('a file that is not what it should be', () => {
      /** The real file with one cell changed. */
      const withCell = (name: string, row: number, column: string, value: string): string => {
        const at = whole.header.split(',').indexOf(column);
        // As much of the file as it takes: the reader is not what is slow here.
        const lines = whole.lines.slice(0, Math.max(row, 100));
        const cells = lines[row - 1]!.split(',');
        cells[at] = value;
        lines[row - 1] = cells.join(',');
        return fileOf(name, lines);
      };
      const BY_COMMAND = ['a missing column', 'a bad date in row 9,000', 'a gzip that is cut'];
      const table: readonly (readonly [what: string, make: () => string, words: readonly string[]])[] = [
        [
          'a missing column',
          () => {
            const at = whole.header.split(',').indexOf('adr');
            const without = (line: string): string => line.split(',').toSpliced(at, 1).join(',');
            return fileOf('column.csv', whole.lines.slice(0, 50).map(without), without(whole.header));
          },
          ['adr'],
        ],
        [
          'a bad date in row 9,000',
          () => withCell('date.csv', 9_000, 'reservation_status_date', '2016-02-30'),
          ['row 9000', 'reservation_status_date', '2016-02-30'],
        ],
        [
          'a month that there is not',
          () => withCell('month.csv', 77, 'arrival_date_month', 'Juli'),
          ['row 77', 'arrival_date_month', 'Juli'],
        ],
        [
          'a day that the month has not',
          () => withCell('day.csv', 78, 'arrival_date_day_of_month', '32'),
          ['row 78', 'arrival_date_day_of_month'],
        ],
        [
          'negative nights',
          () => withCell('nights.csv', 12, 'stays_in_week_nights', '-3'),
          ['row 12', 'stays_in_week_nights', '-3'],
        ],
        [
          'a price that is none',
          () => withCell('price.csv', 13, 'adr', '12,5'.replace(',', ';')),
          ['row 13', 'adr'],
        ],
        [
          'an unknown status',
          () => withCell('status.csv', 14, 'reservation_status', 'Gone'),
          ['row 14', 'reservation_status', 'Gone'],
        ],
        [
          'a row with a cell too few',
          () => fileOf('short.csv', ['Resort Hotel,0,1', ...whole.lines.slice(0, 3)]),
          ['row 1'],
        ],
        [
          'a gzip that is cut',
          () => {
            const path = join(inst.home, 'cut.csv.gz');
            const bytes = gzipSync(Buffer.from(whole.lines.join('\n')));
            writeFileSync(path, bytes.subarray(0, Math.floor(bytes.length / 2)));
            return path;
          },
          ['gzip'],
        ],
        [
          'an empty file',
          () => {
            const path = join(inst.home, 'empty.csv');
            writeFileSync(path, '');
            return path;
          },
          ['no rows'],
        ],
        ['a header and no row', () => fileOf('header.csv', []), ['no rows']],
      ];
      const broken = new Map(table.map(([what, make, words]) => [what, { make, words }]));

      it('is refused with exit code 6, row and column named in one line, and nothing of it is written', async () => {
        const before = await settledCounts(url);
        const ends = await Promise.all(
          BY_COMMAND.map((what) => inst.cli(args(broken.get(what)!.make(), 'BROKEN'))),
        );
        BY_COMMAND.forEach((what, i) => {
          const { code, stdout, stderr } = ends[i]!;
          expect({ what, code, stdout }).toEqual({ what, code: 6, stdout: '' });
          for (const word of broken.get(what)!.words) expect(`${what}: ${stderr}`).toContain(word);
          expect({ what, lines: stderr.trim().split('\n').length }).toEqual({ what, lines: 1 });
        });
        expect(await rowCounts(url)).toEqual(before);
      });

      it('is told by the reader with row and column, whatever is wrong', async () => {
        for (const [what, { make, words }] of broken) {
          const error = await readBookings(make()).then(
            () => null,
            (reason: unknown) => reason,
          );
          expect({ what, error }).toEqual({ what, error: expect.any(BrokenFileError) });
          for (const word of words) expect(`${what}: ${String(error)}`).toContain(word);
        }
      });

      it('other ends have codes of their own: unknown file 4, wrong option 2, another file or size into the same property 3', async () => {
        const before = await settledCounts(url);
        const other = fileOf(
          'other.csv',
          rows.slice(0, 20).map(({ line }) => line),
        );
        const cases: readonly (readonly [readonly string[], number, string])[] = [
          [args(join(inst.home, 'nowhere.csv'), 'BROKEN'), 4, 'nowhere.csv'],
          [args(inst.home, 'BROKEN'), 4, 'EISDIR'],
          [args(slice, 'BROKEN', 0), 2, '--rooms'],
          [['replay', 'hotel-bookings', slice, '--rooms', '5'], 2, '--property'],
          [[...args(slice, 'BROKEN'), '--tenant', 'nobody'], 4, 'TENANT_NOT_FOUND'],
          [args(slice, 'lower case'), 2, '--property'],
          [args(other, 'WHOLE'), 3, 'IMPORT_FILE_CHANGED'],
          [args(slice, 'WHOLE', ROOMS + 1), 3, 'ROOMS_DIFFER'],
        ];
        const ends: Ended[] = [];
        for (let i = 0; i < cases.length; i += 3)
          ends.push(...(await Promise.all(cases.slice(i, i + 3).map(([given]) => inst.cli(given)))));
        cases.forEach(([given, code, word], i) => {
          const told = {
            given: given.slice(2).join(' '),
            code: ends[i]!.code,
            says: ends[i]!.stderr.includes(word),
          };
          expect(told).toEqual({ given: told.given, code, says: true });
          expect(ends[i]!.stdout).toBe('');
          expect(ends[i]!.stderr).not.toMatch(/^\s+at /m);
        });
        expect(await rowCounts(url)).toEqual(before);
      });
    });
  });
});
