import pg from 'pg';
import type { DataSource } from 'typeorm';
import type {
  CreateCommand,
  MoveReservation,
  ReservationCommand,
} from '../../src/modules/reservations/domain/commands.js';
import type { Job, Outcome } from '../../src/modules/reservations/commands/execute-list.js';
import { makeContext, type OpContext, type Source } from '../../src/platform/context/op-context.js';
import { openDataSource } from '../../src/platform/database/data-source.js';
import { requestHash, type Claim, type StoredAnswer } from '../../src/platform/database/idempotency.js';
import { UnitOfWork } from '../../src/platform/database/unit-of-work.js';
import { addDays, isoDate, type IsoDate } from '../../src/platform/kernel/dates.js';
import { DomainError } from '../../src/platform/kernel/errors.js';
import { newId, tenantId, type TenantId } from '../../src/platform/kernel/ids.js';

/** A tenant with one property, ready for bookings. */
export interface TestHouse {
  readonly tenantId: TenantId;
  readonly tenantCode: string;
  readonly propertyId: string;
  readonly businessDate: IsoDate;
  /** In the order of their codes: T1, T2, … */
  readonly roomTypeIds: readonly string[];
  /** The first type. */
  readonly roomTypeId: string;
  /** BAR: `priceMinor` for every type and night, open-ended. */
  readonly ratePlanId: string;
  readonly guestId: string;
  /** The n-th day after the business date. */
  day(n: number): IsoDate;
}

export interface HouseOptions {
  /** Rooms of every type. */
  readonly rooms?: number;
  /** How many room types. */
  readonly types?: number;
  /** Nights with counters, from the business date on. */
  readonly nights?: number;
  readonly maxOccupancy?: number;
  readonly priceMinor?: number;
  readonly businessDate?: string;
  readonly propertyCode?: string;
}

const INSERT_HOUSE = `
  WITH t AS (INSERT INTO tenants (tenant_id, code, name) VALUES ($1, $2, 'Tenant ' || $2)),
  p AS (INSERT INTO properties (tenant_id, property_id, code, name, time_zone, currency, business_date)
    VALUES ($1, $3, $4, 'The House', 'Europe/Lisbon', 'EUR', $5)),
  r AS (INSERT INTO room_types (tenant_id, room_type_id, property_id, code, name, base_occupancy, max_occupancy, rooms)
    SELECT $1, id, $3, 'T' || n, 'Type ' || n, 1, $7, $8 FROM unnest($6::uuid[]) WITH ORDINALITY AS x(id, n)),
  i AS (INSERT INTO inventory_nights (tenant_id, room_type_id, night, rooms)
    SELECT $1, id, $5::date + n, $8 FROM unnest($6::uuid[]) AS x(id), generate_series(0, $9::int - 1) AS n),
  b AS (INSERT INTO rate_plans (tenant_id, rate_plan_id, property_id, code, name) VALUES ($1, $10, $3, 'BAR', 'Best available')),
  c AS (INSERT INTO rate_plan_prices (tenant_id, property_id, rate_plan_id, room_type_id, from_date, to_date, amount_minor)
    SELECT $1, $3, $10, id, $5, NULL, $11 FROM unnest($6::uuid[]) AS x(id))
  INSERT INTO guests (tenant_id, guest_id, first_name, last_name, email)
  VALUES ($1, $12, 'Ada', 'Guest', 'ada@example.org')`;

/** Makes a tenant and its house by SQL, as superuser: no door of the application is needed. */
export async function createHouse(
  db: { readonly superUrl: string },
  options: HouseOptions = {},
): Promise<TestHouse> {
  const { rooms = 10, types = 1, nights = 60, maxOccupancy = 2, priceMinor = 10_000 } = options;
  const tenant = tenantId(newId());
  const tenantCode = `t-${tenant.slice(-12)}`;
  const businessDate = isoDate(options.businessDate ?? '2027-03-01');
  const [propertyId, ratePlanId, guestId] = [newId(), newId(), newId()];
  const roomTypeIds = Array.from({ length: types }, () => newId());
  await withClient(db.superUrl, (client) =>
    client.query(INSERT_HOUSE, [
      tenant,
      tenantCode,
      propertyId,
      options.propertyCode ?? 'HOUSE',
      businessDate,
      roomTypeIds,
      maxOccupancy,
      rooms,
      nights,
      ratePlanId,
      priceMinor,
      guestId,
    ]),
  );
  return {
    tenantId: tenant,
    tenantCode,
    propertyId,
    businessDate,
    roomTypeIds,
    roomTypeId: roomTypeIds[0]!,
    ratePlanId,
    guestId,
    day: (n) => addDays(businessDate, n),
  };
}

/** A unit of work on a pool of its own, as one API process has it. */
export interface OpenUow {
  readonly uow: UnitOfWork;
  readonly source: DataSource;
  close(): Promise<void>;
}

/** Opens one; `close()` it. */
export async function openUow(url: string, poolSize = 4): Promise<OpenUow> {
  const source = await openDataSource(url, { poolSize, applicationName: 'tartware-test', entities: [] });
  return { uow: new UnitOfWork(source), source, close: () => source.destroy() };
}

/** Runs `work` on a connection of its own. */
export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** A transaction of `client`, rolled back at its end; with a tenant, in that tenant's scope. */
export async function rolledBack<T>(
  client: pg.Client,
  tenant: string | null,
  work: () => Promise<T>,
): Promise<T> {
  await client.query('BEGIN');
  try {
    if (tenant !== null) await client.query(`SELECT set_config('app.tenant_id', $1, true)`, [tenant]);
    return await work();
  } finally {
    await client.query('ROLLBACK');
  }
}

/** What PostgreSQL said of a statement: its error, or undefined when it let it pass. A savepoint keeps the transaction. */
export async function refusalBy(
  client: pg.Client,
  text: string,
  values: readonly unknown[] = [],
): Promise<pg.DatabaseError | undefined> {
  await client.query('SAVEPOINT before_it');
  try {
    await client.query(text, [...values]);
    return undefined;
  } catch (error) {
    if (error instanceof pg.DatabaseError) return error;
    throw error;
  } finally {
    await client.query('ROLLBACK TO SAVEPOINT before_it');
  }
}

/** A clerk of this house who may do everything, or what `permissions` say. */
export const clerkOf = (
  house: TestHouse,
  fields: { subject?: string; permissions?: readonly string[]; source?: Source } = {},
): OpContext =>
  makeContext({
    tenantId: house.tenantId,
    subject: fields.subject ?? 'clerk',
    permissions: fields.permissions ?? ['*'],
    source: fields.source ?? 'http',
  });

/** A creation of one night of the first type from the business date, for one. */
export function creationIn(house: TestHouse, fields: Partial<CreateCommand> = {}): CreateCommand {
  const arrival = fields.arrival ?? house.businessDate;
  return {
    kind: 'create',
    reservationId: newId(),
    propertyId: house.propertyId,
    roomTypeId: house.roomTypeId,
    ratePlanId: house.ratePlanId,
    guestId: house.guestId,
    arrival,
    departure: addDays(arrival, 1),
    dayUse: false,
    adults: 1,
    children: 0,
    babies: 0,
    holdSeconds: null,
    override: null,
    externalId: null,
    ...fields,
  };
}

/** A move of a reservation, whatever its version. */
export const moveOf = (
  kind: MoveReservation['kind'],
  reservationId: string,
  fields: Partial<MoveReservation> = {},
): MoveReservation => ({
  kind,
  reservationId,
  ifVersion: null,
  ...(kind === 'cancel' ? { reason: 'changed plans' } : {}),
  ...fields,
});

/** A command with its context; with a key, claimed as the HTTP door does. */
export function jobOf(
  ctx: OpContext,
  command: ReservationCommand,
  key?: string,
  body: unknown = command,
): Job {
  const claim: Claim | null =
    key === undefined
      ? null
      : { principal: ctx.actor.subject, key, requestHash: requestHash('POST', '/v1/reservations', body) };
  return { ctx, command, claim };
}

/** How a command ended, refusal or answer; any other error is thrown on. */
export async function outcomeOf(submitted: Promise<StoredAnswer>): Promise<Outcome> {
  try {
    return await submitted;
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
}

/** An outcome in one word: the status of an answer, the code of a refusal. */
export const wordOf = (outcome: Outcome): number | string =>
  outcome instanceof DomainError ? outcome.code : outcome.status;
