import { execFile } from 'node:child_process';
import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { executeList } from '../../src/modules/reservations/commands/execute-list.js';
import { addDays } from '../../src/platform/kernel/dates.js';
import { newId } from '../../src/platform/kernel/ids.js';
import { clerkOf, creationIn, jobOf, type TestHouse } from '../../test/support/fixtures.js';
import type { Bed } from '../bed.js';
import type { Runner } from '../rounds.js';
import { SPREAD_NIGHTS } from '../load/orders.js';

const PROGRAM = '/usr/bin/pgbench';
/** Best of what was tried on two cores. */
const CLIENTS = 10;
const THREADS = 2;
const NIGHTS = 2;

/** A statement as node-pg was given it. */
interface Sent {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** Every statement that `work` sends, in order. */
async function statementsOf(work: () => Promise<unknown>): Promise<Sent[]> {
  const sent: Sent[] = [];
  const query = pg.Client.prototype.query as (...args: unknown[]) => unknown;
  pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
    const [statement] = args as [string | { text: string; values?: unknown[] }];
    if (typeof statement === 'string') sent.push({ text: statement, values: [] });
    else sent.push({ text: statement.text, values: statement.values ?? [] });
    return query.apply(this, args);
  } as typeof pg.Client.prototype.query;
  try {
    await work();
  } finally {
    pg.Client.prototype.query = query as typeof pg.Client.prototype.query;
  }
  return sent;
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** A value in the text form that node-pg sends; null stays. */
function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (Buffer.isBuffer(value)) return `\\x${value.toString('hex')}`;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return `{${value.map((one) => JSON.stringify(textOf(one))).join(',')}}`;
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string | number);
}

/** A text as an SQL expression, in which every token that a booking has of its own is replaced by what makes a new one. */
function expressionOf(text: string, tokens: readonly (readonly [string, string])[]): string {
  let pieces: { literal?: string; sql?: string }[] = [{ literal: text }];
  for (const [token, sql] of tokens)
    pieces = pieces.flatMap((piece) =>
      piece.literal === undefined
        ? [piece]
        : piece.literal
            .split(token)
            .flatMap((literal, i) => (i === 0 ? [{ literal }] : [{ sql }, { literal }])),
    );
  const written = pieces
    .filter(({ literal }) => literal !== '')
    // pgbench takes a colon before a letter for a variable of its own, within quotes as well.
    .map(
      ({ literal, sql }) => sql ?? `'${literal!.replaceAll("'", "''").replaceAll(/:(?=[A-Za-z_])/g, ': ')}'`,
    );
  return written.length === 0 ? `''` : written.length === 1 ? written[0]! : `(${written.join(' || ')})`;
}

/**
 * A booking as a script of pgbench: the statements that ours sends for a lone one, each prepared, with every value that differs
 * from booking to booking made anew. Round trips are the same: BEGIN and the scope in one, then reading, writing, COMMIT.
 */
function scriptOf(sent: readonly Sent[], house: TestHouse, own: Readonly<Record<string, string>>): string {
  const constant = new Set<string>([house.tenantId, house.propertyId, house.ratePlanId, house.guestId]);
  const fresh: string[] = [];
  const tokens: [string, string][] = Object.entries(own);
  for (const { values } of sent)
    for (const uuid of JSON.stringify(values).match(UUID) ?? []) {
      if (constant.has(uuid) || tokens.some(([token]) => token === uuid)) continue;
      fresh.push(`u${fresh.length}`);
      tokens.push([uuid, `:${fresh.at(-1)}`]);
    }
  for (let i = 0; i <= NIGHTS; i++)
    tokens.push([addDays(house.businessDate, i), `(date '${house.businessDate}' + (:day + ${i}))::text`]);
  for (let i = 0; i < NIGHTS; i++)
    tokens.push([`"sold":1`, `'"sold": ' || (((:nights)::json -> ${i} ->> 'sold')::int + 1)`]);
  return 'todo';
}

export async function openPgbench(bed: Bed, house: TestHouse, ms: number): Promise<Runner | null> {
  void [
    bed,
    house,
    ms,
    promisify(execFile),
    access,
    writeFile,
    join,
    executeList,
    newId,
    clerkOf,
    creationIn,
    jobOf,
  ];
  void [PROGRAM, CLIENTS, THREADS, SPREAD_NIGHTS, statementsOf, scriptOf, textOf, expressionOf];
  return null;
}
