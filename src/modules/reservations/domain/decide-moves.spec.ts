import { describe, expect, it } from '@jest/globals';
import {
  actor,
  booking,
  BUSINESS_DATE,
  creation,
  day,
  houseWith,
  NOW,
  refusalOf,
} from '../../../../test/support/small-house.js';
import type { MoveReservation, ReservationCommand } from './commands.js';
import { decide } from './decide.js';
import { MOVES, STATUSES, type MoveCommand, type Status } from './moves.js';
import type { Reservation } from './reservation.js';

const IN_AN_HOUR = new Date(NOW.getTime() + 3_600_000);
const AN_HOUR_AGO = new Date(NOW.getTime() - 3_600_000);

const move = (kind: MoveCommand, fields: Partial<MoveReservation> = {}): MoveReservation => ({
  kind,
  reservationId: 'r1',
  ifVersion: null,
  ...(kind === 'cancel' ? { reason: 'changed plans' } : {}),
  ...fields,
});

type Kind = Exclude<ReservationCommand['kind'], 'create'>;
const KINDS: readonly Kind[] = [
  ...new Set(MOVES.map(({ command }) => command)),
  'modify',
  'change-departure',
];

/** What may be asked in each state, written out: the table is compared with this, and not with itself. */
const LEGAL: Readonly<Record<Status, readonly string[]>> = {
  HELD: ['confirm', 'cancel', 'modify'],
  CONFIRMED: ['cancel', 'no-show', 'check-in', 'modify'],
  CHECKED_IN: ['check-out', 'change-departure'],
  CHECKED_OUT: [],
  CANCELLED: ['reinstate'],
  NO_SHOW: ['reinstate'],
  EXPIRED: [],
};

/** Where a command leads: along the table, or nowhere else for a change that its state permits. */
function target(kind: Kind, from: Status): Status | undefined {
  if (kind === 'modify' || kind === 'change-departure') return LEGAL[from].includes(kind) ? from : undefined;
  return MOVES.find((row) => row.command === kind && row.from === from)?.to;
}

const EVENTS: Readonly<Record<Kind, string>> = {
  confirm: 'reservation.confirmed',
  cancel: 'reservation.cancelled',
  expire: 'reservation.expired',
  'no-show': 'reservation.no_show',
  'check-in': 'reservation.checked_in',
  'check-out': 'reservation.checked_out',
  reinstate: 'reservation.reinstated',
  modify: 'reservation.modified',
  'change-departure': 'reservation.departure_changed',
};

/** A reservation in a state, on a day on which nothing but its state could forbid the command. */
function subject(kind: Kind, status: Status): Reservation {
  const [arrival, departure] = kind === 'check-out' ? [day(-2), day(0)] : [day(0), day(2)];
  return booking({
    status,
    arrival,
    departure,
    holdExpiresAt: status === 'HELD' ? (kind === 'expire' ? AN_HOUR_AGO : IN_AN_HOUR) : null,
    cancelReason: status === 'CANCELLED' ? 'changed plans' : null,
  });
}

function commandOf(kind: Kind): ReservationCommand {
  const on = { reservationId: 'r1', ifVersion: null };
  if (kind === 'modify') return { ...on, kind, adults: 1, override: null };
  if (kind === 'change-departure') return { ...on, kind, departure: day(3) };
  return move(kind);
}

const EVERY = KINDS.flatMap((kind) => STATUSES.map((from) => [kind, from, target(kind, from)] as const));

describe('every command in every state', () => {
  it.each(EVERY.flatMap(([kind, from, to]) => (to ? [[kind, from, to] as const] : [])))(
    '%s takes %s to %s',
    (kind, from, to) => {
      const before = subject(kind, from);
      const decision = decide(houseWith([before]), actor(), commandOf(kind));
      expect(decision.before).toEqual(before);
      expect(decision.after).toMatchObject({ status: to, version: before.version + 1, updatedAt: NOW });
      expect(decision.eventType).toBe(EVENTS[kind]);
    },
  );

  it.each(EVERY.flatMap(([kind, from, to]) => (to ? [] : [[kind, from] as const])))(
    '%s is refused on %s, with the legal commands named',
    (kind, from) => {
      const before = subject(kind, from);
      const house = houseWith([before]);
      expect(refusalOf(() => decide(house, actor(), commandOf(kind)))).toMatchObject({
        code: 'ILLEGAL_MOVE',
        category: 'CONFLICT',
        details: { status: from, command: kind, legal: LEGAL[from] },
      });
      expect(house.reservation('r1')).toBe(before);
      expect(house.changedNights()).toEqual([]);
    },
  );

  it('has 12 legal pairs out of 63', () => {
    expect(EVERY.filter(([, , to]) => to)).toHaveLength(12);
    expect(EVERY).toHaveLength(63);
  });
});

describe('the version a caller has seen', () => {
  it.each(KINDS)('%s is refused as VERSION_STALE when it is not the present one', (kind) => {
    const from = STATUSES.find((status) => target(kind, status))!;
    const house = houseWith([subject(kind, from)]);
    for (const ifVersion of [2, 4, 0])
      expect(
        refusalOf(() => decide(house, actor(), { ...commandOf(kind), ifVersion } as ReservationCommand)),
      ).toMatchObject({
        code: 'VERSION_STALE',
        category: 'CONFLICT',
        details: { version: 3 },
      });
    expect(
      decide(house, actor(), { ...commandOf(kind), ifVersion: 3 } as ReservationCommand).after.version,
    ).toBe(4);
  });

  it('is looked at before the state: a stale caller learns that first', () => {
    const house = houseWith([booking({ status: 'CHECKED_OUT' })]);
    expect(refusalOf(() => decide(house, actor(), move('confirm', { ifVersion: 1 }))).code).toBe(
      'VERSION_STALE',
    );
  });

  it('cannot be of an unknown reservation: RESERVATION_NOT_FOUND', () => {
    for (const kind of KINDS)
      expect(
        refusalOf(() => decide(houseWith(), actor(), { ...commandOf(kind), reservationId: 'x' })),
      ).toMatchObject({ code: 'RESERVATION_NOT_FOUND', category: 'NOT_FOUND' });
  });
});

describe('holds', () => {
  const held = (holdExpiresAt: Date) => booking({ status: 'HELD', holdExpiresAt });

  it.each(['confirm', 'cancel', 'modify'] as const)(
    '%s is refused past its time, though nobody has swept it',
    (kind) => {
      const house = houseWith([held(NOW)]);
      expect(refusalOf(() => decide(house, actor(), commandOf(kind))).code).toBe('HOLD_EXPIRED');
      expect(house.available('A', day(0))).toBe(4);
    },
  );

  it('expire is refused before its time, and gives back the nights at it', () => {
    const early = houseWith([held(new Date(NOW.getTime() + 1))]);
    expect(refusalOf(() => decide(early, actor(), move('expire')))).toMatchObject({
      code: 'HOLD_STANDS',
      category: 'CONFLICT',
    });
    const due = houseWith([held(NOW)]);
    expect(decide(due, actor(), move('expire')).after.status).toBe('EXPIRED');
    expect(due.changedNights().map(({ night, sold }) => [night, sold])).toEqual([
      [day(0), 0],
      [day(1), 0],
    ]);
  });

  it('confirmed, a hold expires no more', () => {
    const { after } = decide(houseWith([held(IN_AN_HOUR)]), actor(), move('confirm'));
    expect(after).toMatchObject({ status: 'CONFIRMED', holdExpiresAt: null });
  });
});

describe('check-in', () => {
  const checkIn = (stay: Partial<Reservation>, roomNumber?: string) =>
    decide(
      houseWith([booking(stay)]),
      actor(),
      move('check-in', roomNumber === undefined ? {} : { roomNumber }),
    );

  it('is refused before the arrival: ARRIVAL_NOT_DUE', () => {
    expect(refusalOf(() => checkIn({ arrival: day(1) }))).toMatchObject({
      code: 'ARRIVAL_NOT_DUE',
      details: { arrival: day(1), businessDate: BUSINESS_DATE },
    });
  });

  it('is possible on the arrival and on any later night of the stay', () => {
    expect(checkIn({ arrival: day(0), departure: day(2) }).after.status).toBe('CHECKED_IN');
    expect(checkIn({ arrival: day(-1), departure: day(1) }).after.status).toBe('CHECKED_IN');
  });

  it('is refused from the departure on: STAY_OVER', () => {
    expect(refusalOf(() => checkIn({ arrival: day(-2), departure: day(0) })).code).toBe('STAY_OVER');
    expect(refusalOf(() => checkIn({ arrival: day(-4), departure: day(-2) })).code).toBe('STAY_OVER');
  });

  it('takes day use on its one day', () => {
    expect(checkIn({ arrival: day(0), departure: day(0) }).after.status).toBe('CHECKED_IN');
    expect(refusalOf(() => checkIn({ arrival: day(-1), departure: day(-1) })).code).toBe('STAY_OVER');
    expect(refusalOf(() => checkIn({ arrival: day(1), departure: day(1) })).code).toBe('ARRIVAL_NOT_DUE');
  });

  it('keeps the room number, where one is known', () => {
    expect(checkIn({}, '12A').after.roomNumber).toBe('12A');
    expect(checkIn({}).after.roomNumber).toBeNull();
  });
});

describe('check-out', () => {
  const inHouse = (stay: Partial<Reservation>) => houseWith([booking({ status: 'CHECKED_IN', ...stay })]);

  it('is refused before the departure: EARLY_DEPARTURE', () => {
    expect(refusalOf(() => decide(inHouse({ departure: day(1) }), actor(), move('check-out')))).toMatchObject(
      {
        code: 'EARLY_DEPARTURE',
        details: { departure: day(1), businessDate: BUSINESS_DATE },
      },
    );
  });

  it('is possible on the departure and after it, and day use leaves on its day', () => {
    for (const [from, to] of [
      [-2, 0],
      [-3, -1],
      [0, 0],
    ] as const)
      expect(
        decide(inHouse({ arrival: day(from), departure: day(to) }), actor(), move('check-out')).after.status,
      ).toBe('CHECKED_OUT');
  });

  it('is possible early once the stay is shortened', () => {
    const house = inHouse({ arrival: day(-1), departure: day(4) });
    decide(house, actor(), {
      kind: 'change-departure',
      reservationId: 'r1',
      ifVersion: null,
      departure: day(0),
    });
    expect(decide(house, actor(), move('check-out')).after).toMatchObject({
      status: 'CHECKED_OUT',
      version: 5,
    });
    expect([0, 1, 2, 3].map((n) => house.available('A', day(n)))).toEqual([5, 5, 5, 5]);
    expect(house.available('A', day(-1))).toBe(4);
  });
});

describe('no-show', () => {
  const absent = (arrival: number) => houseWith([booking({ arrival: day(arrival) })]);

  it('is refused before the arrival, for anyone but an import', () => {
    const refused = [
      actor(),
      actor(['*']),
      actor(['reservation:import'], 'http'),
      actor([], 'import'),
      actor(['reservation:no-show'], 'import'),
    ];
    for (const ctx of refused)
      expect(refusalOf(() => decide(absent(1), ctx, move('no-show'))).code).toBe('ARRIVAL_NOT_DUE');
    expect(decide(absent(90), actor(['reservation:import'], 'import'), move('no-show')).after.status).toBe(
      'NO_SHOW',
    );
  });

  it('is possible from the arrival on, and gives back every night', () => {
    const house = absent(0);
    expect(decide(house, actor(), move('no-show')).after.status).toBe('NO_SHOW');
    expect(house.available('A', day(0))).toBe(5);
    expect(house.available('A', day(1))).toBe(5);
    expect(decide(absent(-5), actor(), move('no-show')).after.status).toBe('NO_SHOW');
  });
});

describe('cancel', () => {
  it('needs a reason that says something, and keeps it', () => {
    for (const reason of [undefined, '', '  '])
      expect(
        refusalOf(() => decide(houseWith([booking()]), actor(), move('cancel', { reason }))),
      ).toMatchObject({
        code: 'CANCEL_REASON_REQUIRED',
        category: 'VALIDATION',
        details: [{ path: 'reason' }],
      });
    expect(decide(houseWith([booking()]), actor(), move('cancel')).after.cancelReason).toBe('changed plans');
  });

  it('gives back every night, to the next in the list as well', () => {
    const house = houseWith([booking()], { rooms: 1 });
    expect(refusalOf(() => decide(house, actor(), creation())).code).toBe('NO_AVAILABILITY');
    decide(house, actor(), move('cancel'));
    expect(decide(house, actor(), creation()).after.status).toBe('CONFIRMED');
  });
});

describe('reinstate', () => {
  const gone = (status: 'CANCELLED' | 'NO_SHOW', stay: Partial<Reservation> = {}) =>
    booking({ status, cancelReason: status === 'CANCELLED' ? 'changed plans' : null, ...stay });

  it.each(['CANCELLED', 'NO_SHOW'] as const)('takes the nights of a %s stay again', (status) => {
    const house = houseWith([gone(status)]);
    const { after } = decide(house, actor(), move('reinstate'));
    expect(after).toMatchObject({ status: 'CONFIRMED', cancelReason: null, holdExpiresAt: null });
    expect(house.changedNights().map(({ night, sold }) => [night, sold])).toEqual([
      [day(0), 1],
      [day(1), 1],
    ]);
  });

  it('finds no room when another has taken the last one, and names the night', () => {
    const other = booking({ reservationId: 'r2', arrival: day(1), departure: day(2) });
    const house = houseWith([gone('CANCELLED'), other], { rooms: 1 });
    expect(refusalOf(() => decide(house, actor(), move('reinstate')))).toMatchObject({
      code: 'NO_AVAILABILITY',
      details: { roomTypeId: 'A', night: day(1) },
    });
    expect(house.reservation('r1').status).toBe('CANCELLED');
    expect(house.changedNights()).toEqual([]);
  });

  it('is refused once the stay is over', () => {
    for (const stay of [
      { arrival: day(-2), departure: day(0) },
      { arrival: day(-1), departure: day(-1) },
    ])
      expect(
        refusalOf(() => decide(houseWith([gone('NO_SHOW', stay)]), actor(), move('reinstate'))).code,
      ).toBe('STAY_OVER');
    expect(
      decide(
        houseWith([gone('NO_SHOW', { arrival: day(-1), departure: day(1) })]),
        actor(),
        move('reinstate'),
      ).after.status,
    ).toBe('CONFIRMED');
  });
});
