// What a replay must give, worked out a second time and by other means: nothing of src/ is imported here, and nothing may
// be. Own reading of the CSV, own dates (whole days since 1970), own inventory.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';

const DAY_MS = 86_400_000;
const MONTH_NAMES =
  'January February March April May June July August September October November December'.split(' ');

/** A row of the file; days are counted from 1970-01-01. */
export interface FileRow {
  readonly row: number;
  readonly booked: number;
  readonly arrival: number;
  readonly nights: number;
  readonly people: number;
  readonly cents: number;
  readonly status: string;
  readonly ended: number;
  readonly lead: number;
  readonly line: string;
}

/** The file as text: header and lines. */
export interface FileText {
  readonly header: string;
  readonly lines: readonly string[];
}

/** Where the real data should lie. */
export const dataFile = (): string =>
  join(
    resolve(process.env['TARTWARE_DATA_DIR'] ?? join(import.meta.dirname, '../../../shared/data')),
    'resort_arrivals_2015-07_to_2016-08.csv.gz',
  );

export const isoOf = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10);
const dayOf = (iso: string): number => Date.parse(`${iso}T00:00:00Z`) / DAY_MS;

/** Header and lines of a file, gzipped or not. */
export function readText(path: string): FileText {
  const bytes = readFileSync(path);
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('latin1');
  const [header = '', ...lines] = text.split('\n').map((line) => line.replace(/\r$/, ''));
  return { header, lines: lines.filter((line) => line !== '') };
}

/** The rows; the file has no quoted fields, so commas separate. */
export function rowsOf({ header, lines }: FileText): FileRow[] {
  const names = header.split(',');
  return lines.map((line, i) => {
    const cells = line.split(',');
    const cell = (name: string): string => cells[names.indexOf(name)] ?? '';
    const count = (name: string): number => (/^\d+$/.test(cell(name)) ? Number(cell(name)) : 0);
    const month = MONTH_NAMES.indexOf(cell('arrival_date_month'));
    const arrival = Date.UTC(count('arrival_date_year'), month, count('arrival_date_day_of_month')) / DAY_MS;
    const lead = count('lead_time');
    return {
      row: i + 1,
      booked: arrival - lead,
      arrival,
      nights: count('stays_in_weekend_nights') + count('stays_in_week_nights'),
      people: count('adults') + count('children') + count('babies'),
      cents: Math.round(Number(cell('adr')) * 100),
      status: cell('reservation_status'),
      ended: dayOf(cell('reservation_status_date')),
      lead,
      line,
    };
  });
}

export interface MonthSum {
  nights: number;
  revenue: number;
}

/** What a replay comes to. */
export interface Expected {
  readonly rows: number;
  readonly refusedEmptyParty: number;
  readonly refusedNoAvailability: number;
  readonly accepted: number;
  readonly checkedOut: number;
  readonly cancelled: number;
  readonly noShow: number;
  readonly roomNights: number;
  readonly revenueMinor: number;
  /** Commands on reservations: a creation each row, and what came after it for the accepted ones. */
  readonly commands: number;
  /** Rows refused with their code, by row. */
  readonly refused: readonly { readonly row: number; readonly code: string }[];
  /** The first row refused for availability in the order of the walk. */
  readonly firstWithoutRoom: number | null;
  /** Nights and revenue of checked-out stays by month of the night, `YYYY-MM`, sorted. */
  readonly months: Readonly<Record<string, MonthSum>>;
}

/** The bookings of an inventory of `rooms` rooms, each night counted for itself. */
class Nights {
  private readonly taken = new Map<number, number>();

  constructor(private readonly rooms: number) {}

  hasRoom({ arrival, nights }: FileRow): boolean {
    for (let night = arrival; night < arrival + nights; night += 1)
      if ((this.taken.get(night) ?? 0) >= this.rooms) return false;
    return true;
  }

  add({ arrival, nights }: FileRow, by: 1 | -1): void {
    for (let night = arrival; night < arrival + nights; night += 1)
      this.taken.set(night, (this.taken.get(night) ?? 0) + by);
  }
}

/** Walks the days: endings of earlier bookings, new bookings in file order, endings of the day's own. */
function walk(
  rows: readonly FileRow[],
  rooms: number,
): { accepted: Set<number>; refused: { row: number; code: string }[] } {
  const house = new Nights(rooms);
  const accepted = new Set<number>();
  const refused: { row: number; code: string }[] = [];
  const bookedOn = Map.groupBy(rows, ({ booked }) => booked);
  const endedOn = Map.groupBy(
    rows.filter(({ status }) => status !== 'Check-Out'),
    ({ ended }) => ended,
  );
  const giveBack = (row: FileRow): void => {
    if (accepted.has(row.row)) house.add(row, -1);
  };
  const days = [...bookedOn.keys(), ...endedOn.keys()];
  for (let day = Math.min(...days); day <= Math.max(...days); day += 1) {
    const endings = endedOn.get(day) ?? [];
    endings.filter(({ booked }) => booked < day).forEach(giveBack);
    for (const row of bookedOn.get(day) ?? []) {
      if (row.people === 0) refused.push({ row: row.row, code: 'PARTY_EMPTY' });
      else if (!house.hasRoom(row)) refused.push({ row: row.row, code: 'NO_AVAILABILITY' });
      else {
        house.add(row, 1);
        accepted.add(row.row);
      }
    }
    endings.filter(({ booked }) => booked === day).forEach(giveBack);
  }
  return { accepted, refused };
}

/** What the replay of these rows into a house of `rooms` rooms must give. */
export function expectedOf(rows: readonly FileRow[], rooms: number): Expected {
  const { accepted, refused } = walk(rows, rooms);
  const inHouse = rows.filter(({ row }) => accepted.has(row));
  const stays = inHouse.filter(({ status }) => status === 'Check-Out');
  const withStatus = (status: string): number => inHouse.filter((row) => row.status === status).length;
  const months = new Map<string, MonthSum>();
  for (const { arrival, nights, cents } of stays)
    for (let night = arrival; night < arrival + nights; night += 1) {
      const month = isoOf(night).slice(0, 7);
      const sum = months.get(month) ?? { nights: 0, revenue: 0 };
      sum.nights += 1;
      sum.revenue += cents;
      months.set(month, sum);
    }
  const total = (of: (row: FileRow) => number): number => stays.reduce((sum, row) => sum + of(row), 0);
  const refusedFor = (wanted: string): number => refused.filter(({ code }) => code === wanted).length;
  return {
    rows: rows.length,
    refusedEmptyParty: refusedFor('PARTY_EMPTY'),
    refusedNoAvailability: refusedFor('NO_AVAILABILITY'),
    accepted: inHouse.length,
    checkedOut: stays.length,
    cancelled: withStatus('Canceled'),
    noShow: withStatus('No-Show'),
    roomNights: total(({ nights }) => nights),
    revenueMinor: total(({ nights, cents }) => nights * cents),
    commands: rows.length + 2 * stays.length + withStatus('Canceled') + withStatus('No-Show'),
    refused: [...refused].sort((a, b) => a.row - b.row),
    firstWithoutRoom: refused.find(({ code }) => code === 'NO_AVAILABILITY')?.row ?? null,
    months: Object.fromEntries([...months].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}
