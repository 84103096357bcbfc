import type { KeyRow } from '../../../platform/database/idempotency.js';
import type { Tx } from '../../../platform/database/unit-of-work.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import { dayNumber, nightsOf } from '../../../platform/kernel/dates.js';
import { confirmationNumber } from '../domain/confirmation-number.js';
import type { ReservationCommand } from '../domain/commands.js';
import type { HouseSnapshot } from '../domain/house.js';
import { MAX_NIGHTS, type Reservation } from '../domain/reservation.js';
import type { ReservationRow } from './reservation-row.js';
import { LOCK_RESERVATIONS, LOOK_AT_HOUSE, READ_HOUSE } from './statements.js';

/** What a list of commands needs to look at, gathered before anything is read. */
class Needs {
  readonly properties = new Set<string>();
  readonly roomTypes = new Set<string>();
  readonly ratePlans = new Set<string>();
  readonly guests = new Set<string>();
  private readonly spans = new Map<string, { plan: string; type: string; first: IsoDate; past: IsoDate }>();
  private readonly nights = new Map<string, { type: string; night: IsoDate }>();

  /** Prices of a plan and type for `[first, past)`; overlapping wishes become one span, so that no price comes twice. */
  price(plan: string, type: string, first: IsoDate, past: IsoDate): void {
    const id = `${plan} ${type}`;
    const span = this.spans.get(id);
    if (!span) this.spans.set(id, { plan, type, first, past });
    else {
      if (first < span.first) span.first = first;
      if (past > span.past) span.past = past;
    }
  }

  /** Counters of the nights of a stay. Impossible stays are left to the rules: nothing is locked for them. */
  stay(type: string, arrival: IsoDate, departure: IsoDate): void {
    if (dayNumber(departure) - dayNumber(arrival) > MAX_NIGHTS) return;
    for (const night of nightsOf(arrival, departure)) this.nights.set(`${type} ${night}`, { type, night });
  }

  values(tenantId: string): unknown[] {
    const spans = [...this.spans.values()];
    const nights = [...this.nights.values()];
    return [
      tenantId,
      [...this.properties],
      [...this.roomTypes],
      [...this.ratePlans],
      [...this.guests],
      spans.map((span) => span.plan),
      spans.map((span) => span.type),
      spans.map((span) => span.first),
      spans.map((span) => span.past),
      nights.map((want) => want.type),
      nights.map((want) => want.night),
    ];
  }
}

function needOf(needs: Needs, command: ReservationCommand, present: Reservation | undefined): void {
  if (command.kind === 'create') {
    needs.properties.add(command.propertyId);
    needs.roomTypes.add(command.roomTypeId);
    needs.ratePlans.add(command.ratePlanId);
    needs.guests.add(command.guestId);
    needs.stay(command.roomTypeId, command.arrival, command.departure);
    if (!command.override)
      needs.price(command.ratePlanId, command.roomTypeId, command.arrival, command.departure);
    return;
  }
  if (!present) return;
  needs.properties.add(present.propertyId);
  if (command.kind === 'confirm' || command.kind === 'check-in' || command.kind === 'check-out') return;
  needs.stay(present.roomTypeId, present.arrival, present.departure);
  if (command.kind !== 'modify' && command.kind !== 'change-departure') return;
  const roomTypeId = ('roomTypeId' in command && command.roomTypeId) || present.roomTypeId;
  const ratePlanId = ('ratePlanId' in command && command.ratePlanId) || present.ratePlanId;
  const arrival = ('arrival' in command && command.arrival) || present.arrival;
  const departure = command.departure ?? present.departure;
  needs.roomTypes.add(roomTypeId);
  needs.ratePlans.add(ratePlanId);
  needs.stay(roomTypeId, arrival, departure);
  needs.price(ratePlanId, roomTypeId, arrival, departure);
}

/** An idempotency key as the house statement answers it. */
export interface KeptKey extends KeyRow {
  readonly principal: string;
  readonly key: string;
}

interface HouseRow {
  now: Date;
  properties: HouseSnapshot['properties'] | null;
  roomTypes: HouseSnapshot['roomTypes'] | null;
  ratePlans: HouseSnapshot['ratePlans'] | null;
  guestIds: string[] | null;
  prices: HouseSnapshot['prices'] | null;
  nights: HouseSnapshot['nights'] | null;
  numbers?: number[] | null;
  kept?: KeptKey[] | null;
}

const snapshotOf = (row: HouseRow, reservations: readonly Reservation[]): HouseSnapshot => ({
  now: row.now,
  properties: row.properties ?? [],
  roomTypes: row.roomTypes ?? [],
  ratePlans: row.ratePlans ?? [],
  guestIds: row.guestIds ?? [],
  prices: row.prices ?? [],
  nights: row.nights ?? [],
  reservations,
  confirmationNumbers: (row.numbers ?? []).map(confirmationNumber),
});

/** Locks and reads what `commands` need: reservations first, then nights, each in its one order. */
export async function readHouse(
  tx: Tx,
  commands: readonly ReservationCommand[],
  keys: readonly { readonly principal: string; readonly key: string }[],
): Promise<{ snapshot: HouseSnapshot; kept: readonly KeptKey[] }> {
  const ids = commands.filter((command) => command.kind !== 'create').map((command) => command.reservationId);
  const reservations =
    ids.length === 0 ? [] : await tx.query<ReservationRow>(LOCK_RESERVATIONS, [tx.tenantId, ids]);
  const present = new Map(reservations.map((row) => [row.reservationId, row]));
  const needs = new Needs();
  for (const command of commands) needOf(needs, command, present.get(command.reservationId));
  const creations = commands.length - ids.length;
  const [row] = await tx.query<HouseRow>(READ_HOUSE, [
    ...needs.values(tx.tenantId),
    creations,
    keys.map((claim) => claim.principal),
    keys.map((claim) => claim.key),
  ]);
  return { snapshot: snapshotOf(row!, reservations), kept: row!.kept ?? [] };
}

/** Reads what a creation would need, locking nothing: for quotes. */
export async function lookAtHouse(tx: Tx, command: ReservationCommand): Promise<HouseSnapshot> {
  const needs = new Needs();
  needOf(needs, command, undefined);
  const [row] = await tx.query<HouseRow>(LOOK_AT_HOUSE, needs.values(tx.tenantId));
  return snapshotOf(row!, []);
}
