import { Inject, Injectable } from '@nestjs/common';
import type { OpContext } from '../../../platform/context/op-context.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { notFound } from '../../../platform/kernel/errors.js';
import {
  type Checkpoints,
  type Hindrance,
  type LifecycleState,
  stateOf,
  whatNext,
} from '../domain/lifecycle-state.js';
import { type EventRow, EVENTS, FIRST_OPEN, RESERVATION } from '../persistence/lifecycle-statements.js';

/** Above every version. */
const NEWEST = 2 ** 31 - 1;

/** Where one event is. */
export interface EventLifecycle {
  readonly eventId: string;
  readonly type: string;
  /** The reservation's version after the event. */
  readonly keySeq: number;
  /** The request that caused it. */
  readonly correlationId: string;
  readonly actor: string;
  readonly state: LifecycleState;
  readonly since: string;
  readonly next: string;
  readonly checkpoints: Checkpoints;
  readonly hindrance: Hindrance | null;
}

/** Where a reservation's requests are. The state is that of its first event that isn't applied, or of its last one. */
export interface ReservationLifecycle {
  readonly reservationId: string;
  readonly state: LifecycleState | null;
  readonly since: string | null;
  readonly next: string;
  readonly events: readonly EventLifecycle[];
}

/** "Where is my request?", from stored checkpoints. */
@Injectable()
export class LifecycleQueries {
  constructor(@Inject(UnitOfWork) private readonly uow: UnitOfWork) {}

  /**
   * A page of events, newest first.
   * @param before the version that the last page ended with; null for the first page
   * @throws DomainError RESERVATION_NOT_FOUND
   */
  async ofReservation(
    ctx: OpContext,
    reservationId: string,
    before: number | null,
    limit: number,
  ): Promise<ReservationLifecycle> {
    return this.uow.run(ctx, 'lifecycle.of_reservation', async (tx) => {
      const [reservation] = await tx.query(RESERVATION, [ctx.tenantId, reservationId]);
      if (!reservation) throw notFound('reservation');
      const page = await tx.query<EventRow>(EVENTS, [ctx.tenantId, reservationId, before ?? NEWEST, limit]);
      const [open] = await tx.query<EventRow>(FIRST_OPEN, [ctx.tenantId, reservationId]);
      const [newest] = open ? [] : await tx.query<EventRow>(EVENTS, [ctx.tenantId, reservationId, NEWEST, 1]);
      const present = open ?? newest;
      const place = present && eventLifecycle(present);
      return {
        reservationId,
        state: place?.state ?? null,
        since: place?.since ?? null,
        next: place?.next ?? 'Nothing: its events are past their retention.',
        events: page.map(eventLifecycle),
      };
    });
  }
}

/** Puts an event's row into the terms of the lifecycle. */
export function eventLifecycle(row: EventRow): EventLifecycle {
  const {
    eventId,
    type,
    keySeq,
    correlationId,
    actor,
    receivedAt,
    persistedAt,
    publishedAt,
    consumedAt,
    appliedAt,
  } = row;
  const givenUp = row.blockStatus === 'DLQ' && row.blockSeq === keySeq ? row.blockAt : null;
  const checkpoints = {
    receivedAt,
    persistedAt,
    publishedAt,
    consumedAt,
    deadAt: row.deadAt ?? givenUp,
    appliedAt,
  };
  const { state, since } = stateOf(checkpoints);
  const hindrance = state === 'APPLIED' ? null : hindranceOf(row);
  const next = whatNext(state, hindrance);
  return { eventId, type, keySeq, correlationId, actor, state, since, next, checkpoints, hindrance };
}

function hindranceOf(row: EventRow): Hindrance | null {
  if (row.deadStatus)
    return {
      status: row.deadStatus,
      code: row.deadCode!,
      cause: row.deadCause!,
      attempts: 1 + row.deadRetries!,
      nextAttemptAt: null,
    };
  if (!row.blockStatus) return null;
  const head = row.blockSeq === row.keySeq;
  return {
    status: head ? row.blockStatus : 'PARKED',
    code: head ? 'RECORD_REFUSED' : 'KEY_BLOCKED',
    cause: row.blockCause!,
    attempts: head ? row.blockAttempts! : 0,
    nextAttemptAt: head ? row.nextAttemptAt : null,
  };
}
