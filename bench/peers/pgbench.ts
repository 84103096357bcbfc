import { execFile } from 'node:child_process';
import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { executeList } from '../../src/modules/reservations/commands/execute-list.js';
import { DomainError } from '../../src/platform/kernel/errors.js';
import { addDays } from '../../src/platform/kernel/dates.js';
import { newId } from '../../src/platform/kernel/ids.js';
import { clerkOf, creationIn, jobOf, type TestHouse } from '../../test/support/fixtures.js';
import type { Bed } from '../bed.js';
import { SPREAD_NIGHTS } from '../load/orders.js';
import { cpuMs, endedCpuMs } from '../process.js';
import type { Runner } from '../rounds.js';

const PROGRAM = '/usr/bin/pgbench';
/** As many connections as the service has. */
const CLIENTS = 10;
const THREADS = 2;
/** Of each stay: the mean of the other load. */
const NIGHTS = 2;

/** A statement as node-pg was given it. */
interface Sent {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** Every statement that `work` sends, in order. */
async function statementsOf(work: () => Promise<unknown>): Promise<Sent[]> {
  const sent: Sent[] = [];
  const { prototype } = pg.Client;
  const query = prototype.query as (...args: unknown[]) => unknown;
  prototype.query = function (this: pg.Client, ...args: unknown[]) {
    const [statement] = args as [string | { text: string; values?: unknown[] }];
    sent.push(
      typeof statement === 'string'
        ? { text: statement, values: [] }
        : { text: statement.text, values: statement.values ?? [] },
    );
    return query.apply(this, args);
  } as typeof prototype.query;
  try {
    await work();
  } finally {
    prototype.query = query as typeof prototype.query;
  }
  return sent;
}

/** What a booking has of its own: the text that it was, and the SQL that makes another one; the i-th time that it is met. */
type Token = readonly [text: string, sql: (nth: number) => string];

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** A value in the text form that node-pg sends. */
function textOf(value: unknown): string {
  if (Array.isArray(value)) return `{${value.map((one) => JSON.stringify(textOf(one))).join(',')}}`;
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw new TypeError(`a value that pgbench can't be given: ${JSON.stringify(value)}`);
}

/** A value as an SQL expression in which everything that a booking has of its own is made anew. */
function expressionOf(value: unknown, tokens: readonly Token[]): string {
  let pieces: readonly { readonly literal?: string; readonly sql?: string }[] = [{ literal: textOf(value) }];
  for (const [text, sql] of tokens) {
    let nth = 0;
    pieces = pieces.flatMap(({ literal, ...made }) =>
      literal === undefined
        ? [made]
        : literal
            .split(text)
            .flatMap((part, i) => (i === 0 ? [{ literal: part }] : [{ sql: sql(nth++) }, { literal: part }])),
    );
  }
  // pgbench takes a colon before a letter for a variable of its own, within quotes as well.
  const quoted = (literal: string): string =>
    `'${literal.replaceAll("'", "''").replaceAll(/:(?=[A-Za-z_])/g, ': ')}'`;
  const written = pieces
    .filter(({ literal }, i) => literal !== '' || (i === 0 && pieces.length === 1))
    .map(({ literal, sql }) => sql ?? quoted(literal!));
  return written.length === 1 ? written[0]! : `(${written.join(' || ')})`;
}

const filled = ({ text, values }: Sent, tokens: readonly Token[]): string =>
  text.replaceAll(/\$(\d+)/g, (_, n: string) => expressionOf(values[Number(n) - 1], tokens));

/**
 * A booking as a script of pgbench: the statements that ours sends for a lone one. Round trips are the same: BEGIN with the scope,
 * the read that locks, the write, COMMIT.
 */
async function scriptOf(bed: Bed, house: TestHouse): Promise<string> {
  const command = creationIn(house, { departure: addDays(house.businessDate, NIGHTS), adults: 2 });
  const key = newId();
  let confirmation = '';
  const sent = await statementsOf(async () => {
    const [outcome] = await executeList(bed.uow, house.tenantId, [jobOf(clerkOf(house), command, key)]);
    if (!outcome || outcome instanceof DomainError)
      throw new Error('the booking was refused', { cause: outcome });
    confirmation = (JSON.parse(outcome.body) as { data: { confirmationNumber: string } }).data
      .confirmationNumber;
  });
  const [begin, scope, read, write, commit] = sent;
  if (sent.length !== 5 || begin!.text !== 'BEGIN' || commit!.text !== 'COMMIT')
    throw new Error(
      `a booking is no longer what this script knows:\n${sent.map(({ text }) => text).join('\n')}`,
    );

  const types = `'{${house.roomTypeIds.join(',')}}'`;
  const tokens: Token[] = [
    [key, () => ':key'],
    [house.roomTypeId, () => `(${types}::text[])[:type]`],
    // As `confirmationNumber` does: another number, another text of that alphabet.
    [confirmation, () => `lpad(translate(:numbers, '0123456789{}', 'ABCDEFGHJK'), 8, 'A')`],
    ['"sold":1', (nth) => `'"sold": ' || ((:nights::json -> ${nth} ->> 'sold')::int + 1)`],
  ];
  for (let i = 0; i <= NIGHTS; i++)
    tokens.push([
      addDays(house.businessDate, i),
      () => `(date '${house.businessDate}' + (:day + ${i}))::text`,
    ]);
  const known = new Set<string>([house.tenantId, house.propertyId, house.ratePlanId, house.guestId, key]);
  for (const id of house.roomTypeIds) known.add(id);
  const fresh = [...new Set(JSON.stringify(write!.values).match(UUID))].filter((id) => !known.has(id));
  fresh.forEach((id, n) => tokens.push([id, () => `:id${n}`]));
  const slot = /"slot":\d+/.exec(write!.values.join())![0];
  const slotId = `:id${fresh.indexOf(command.reservationId)}`;
  tokens.push([slot, () => `'"slot": ' || ('x' || right(${slotId}, 1))::bit(4)::int`]);
  return [
    `\\set day random(0, ${SPREAD_NIGHTS - NIGHTS})`,
    `\\set type random(1, ${house.roomTypeIds.length})`,
    `\\set key random(1, 9000000000000000000)`,
    '\\startpipeline',
    'BEGIN;',
    `${filled(scope!, tokens)};`,
    '\\endpipeline',
    `SELECT read.*, ${fresh.map((_, n) => `uuidv7() AS id${n}`).join(', ')} FROM (${filled(read!, tokens)}) AS read`,
    '\\gset',
    `${filled(write!, tokens)};`,
    'COMMIT;',
    '',
  ].join('\n');
}

/**
 * The database's limit without gathering: what ours sends for one booking, as prepared statements, a transaction a booking.
 * Neither HTTP nor token nor validation nor rules. Null where there is no pgbench.
 */
export async function openPgbench(
  bed: Bed,
  house: TestHouse,
  { ms, say }: { readonly ms: number; readonly say: (line: string) => void },
): Promise<Runner | null> {
  if (
    !(await access(PROGRAM).then(
      () => true,
      () => false,
    ))
  )
    return null;
  const file = join(bed.home, 'booking.pgbench');
  await writeFile(file, await scriptOf(bed, house));
  const { hostname, port, username, password, pathname } = new URL(bed.database.appUrl);
  const env = {
    PATH: process.env['PATH'],
    PGHOST: hostname,
    PGPORT: port,
    PGUSER: username,
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: pathname.slice(1),
  };
  const args = ['-n', '-M', 'prepared', '-c', CLIENTS, '-j', THREADS, '-T', ms / 1_000, '-f', file].map(
    String,
  );
  let booked = 1;
  const round = async (): Promise<Record<string, number>> => {
    await bed.sql('CHECKPOINT');
    const before = [await endedCpuMs(process.pid), await cpuMs(bed.database.pid, true)] as const;
    const { stdout } = await promisify(execFile)(PROGRAM, args, { env });
    const after = [await endedCpuMs(process.pid), await cpuMs(bed.database.pid, true)] as const;
    const processed = Number(/actually processed: (\d+)/.exec(stdout)?.[1]);
    booked += processed;
    const [found] = await bed.sql<{ n: number }>(
      'SELECT count(*)::int AS n FROM reservations WHERE tenant_id = $1',
      [house.tenantId],
    );
    if (found!.n !== booked) throw new Error(`pgbench says ${booked} bookings, there are ${found!.n}`);
    const each = (i: 0 | 1): string => ((after[i] - before[i]) / processed).toFixed(2);
    say(`pgbench: CPU a booking: itself ${each(0)} ms, PostgreSQL ${each(1)} ms`);
    return { bookings: Number(/^tps = ([\d.]+)/m.exec(stdout)?.[1]) };
  };
  return { name: 'pgbench', round };
}
