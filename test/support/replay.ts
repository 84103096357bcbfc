import { existsSync, readFileSync } from 'node:fs';
import { dataFile, type Expected, type MonthSum } from './hotel-file.js';
import type { HttpClient } from './http-client.js';

/** What `replay hotel-bookings --json` prints. */
export interface Summary {
  readonly rows: number;
  readonly refusedEmptyParty: number;
  readonly refusedNoAvailability: number;
  readonly accepted: number;
  readonly checkedOut: number;
  readonly cancelled: number;
  readonly noShow: number;
  readonly roomNights: number;
  readonly revenueMinor: number;
  readonly commands: number;
  readonly commandsPerSecond: number;
  readonly applied: number;
  readonly pending: number;
  readonly deadLettered: number;
  readonly seconds: number;
}

/** Whether the real file is there; says so once where it is not. `.ci/run` fails without it, a bare machine doesn't. */
export function dataIsThere(): boolean {
  if (existsSync(dataFile())) return true;
  process.stderr.write(
    `skipped: the real data are not there (${dataFile()}); TARTWARE_DATA_DIR names their folder\n`,
  );
  return false;
}

/** The part of a summary that every run of the file must end with, whoever ran before. */
export const outcomeOf = (expected: Expected): Partial<Summary> => ({
  rows: expected.rows,
  refusedEmptyParty: expected.refusedEmptyParty,
  refusedNoAvailability: expected.refusedNoAvailability,
  accepted: expected.accepted,
  checkedOut: expected.checkedOut,
  cancelled: expected.cancelled,
  noShow: expected.noShow,
  roomNights: expected.roomNights,
  revenueMinor: expected.revenueMinor,
  // A refused creation makes no event.
  applied: expected.commands - expected.refused.length,
  pending: 0,
  deadLettered: 0,
});

/** Row and code of each refused row in the CSV of a replay. */
export const refusedInCsv = (path: string): { row: number; code: string }[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .slice(1)
    .filter((line) => line !== '')
    .map((line) => line.split(','))
    .map(([row, code]) => ({ row: Number(row), code: code! }));

/** Nights and revenue of checked-out stays by month, as GET occupancy tells them, 400 nights a request. */
export async function monthsOfOccupancy(
  client: HttpClient,
  propertyId: string,
  from: string,
  to: string,
): Promise<Record<string, MonthSum>> {
  const months: Record<string, MonthSum> = {};
  for (let day = from; day < to;) {
    const next = new Date(Math.min(Date.parse(day) + 400 * 86_400_000, Date.parse(to)))
      .toISOString()
      .slice(0, 10);
    const { nights } = await client.data(
      200,
      client.get(`/v1/properties/${propertyId}/occupancy?from=${day}&to=${next}`),
    );
    for (const { night, stayedRooms, stayedRevenueMinor } of nights) {
      const sum = (months[night.slice(0, 7)] ??= { nights: 0, revenue: 0 });
      sum.nights += stayedRooms;
      sum.revenue += stayedRevenueMinor;
    }
    day = next;
  }
  return Object.fromEntries(Object.entries(months).filter(([, sum]) => sum.nights > 0 || sum.revenue !== 0));
}
