import { Inject, Injectable } from '@nestjs/common';
import type { OpContext } from '../../../platform/context/op-context.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { notFound } from '../../../platform/kernel/errors.js';
import { type Hindrance, LIFECYCLE_STATES, type LifecycleState } from '../domain/lifecycle-state.js';
import {
  type EventRow,
  EVENTS,
  FIRST_OPEN,
  REQUEST_EVENTS,
  REQUEST_LEAST,
  RESERVATION,
} from '../persistence/lifecycle-statements.js';
import { recentResumptions, type ResumptionView } from '../persistence/resumption-store.js';
import { eventLifecycle, type EventLifecycle } from './event-lifecycle.js';

/** Above every version. */
const NEWEST = 2 ** 31 - 1;

/** Where all events of a subject are. */
interface Whole {
  readonly state: LifecycleState | null;
  readonly since: string | null;
  /** What happens next. */
  readonly next: string;
  /** Why it doesn't go on, and what an operator can do. */
  readonly hindrance: Hindrance | null;
  /** What operators asked for, newest first, ten at most. */
  readonly resumptions: readonly ResumptionView[];
  readonly events: readonly EventLifecycle[];
}

/** Where a reservation's requests are. The state is that of its first event that isn't applied, or of its last one. */
export interface ReservationLifecycle extends Whole {
  readonly reservationId: string;
}

/** Where a request is: the state of its least advanced event. */
export interface RequestLifecycle extends Whole {
  readonly correlationId: string;
}

/** The place in a request's list behind an event: its time, its aggregate, its version. */
export type RequestPlace = readonly [occurredAt: string, aggregateId: string, keySeq: number];

const BEGINNING: RequestPlace = ['-infinity', '00000000-0000-0000-0000-000000000000', 0];

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
    const key = [ctx.tenantId, reservationId];
    const [[reservation], page, newest, resumptions] = await this.uow.read(
      ctx,
      'lifecycle.of_reservation',
      (tx) =>
        Promise.all([
          tx.query<{ appliedSeq: number }>(RESERVATION, key),
          tx.query<EventRow>(EVENTS, [...key, before ?? NEWEST, limit]),
          before === null ? null : tx.query<EventRow>(EVENTS, [...key, NEWEST, 1]),
          recentResumptions(tx, reservationId),
        ]),
    );
    if (!reservation) throw notFound('reservation');
    const [last] = newest ?? page;
    // Asked for only when there is one: what its checkpoints take is as much again.
    const [open] =
      last && last.keySeq > reservation.appliedSeq
        ? await this.uow.read(ctx, 'lifecycle.first_open', (tx) => tx.query<EventRow>(FIRST_OPEN, key))
        : [];
    return { reservationId, ...whole(open ?? last, page), resumptions };
  }

  /**
   * A page of the events that a request caused, of all aggregates, in the order in which they were made.
   * @param after the place that the last page ended with; null for the first page
   * @throws DomainError REQUEST_NOT_FOUND for a request that changed nothing here, or is another tenant's
   */
  async ofRequest(
    ctx: OpContext,
    correlationId: string,
    after: RequestPlace | null,
    limit: number,
  ): Promise<RequestLifecycle> {
    const key = [ctx.tenantId, correlationId];
    const [page, resumptions] = await this.uow.read(ctx, 'lifecycle.of_request', (tx) =>
      Promise.all([
        tx.query<EventRow>(REQUEST_EVENTS, [...key, ...(after ?? BEGINNING), limit]),
        recentResumptions(tx, correlationId),
      ]),
    );
    const [least] =
      after === null && page.length < limit
        ? [leastAdvanced(page)]
        : await this.uow.read(ctx, 'lifecycle.least', (tx) => tx.query<EventRow>(REQUEST_LEAST, key));
    if (!least) throw notFound('request');
    return { correlationId, ...whole(least, page), resumptions };
  }
}

/** Of events in the order in which they were made, the first of those in the earliest state. */
function leastAdvanced(events: readonly EventRow[]): EventRow | undefined {
  const rank = (row: EventRow): number => LIFECYCLE_STATES.indexOf(eventLifecycle(row).state);
  return events.reduce<EventRow | undefined>(
    (least, row) => (least && rank(least) <= rank(row) ? least : row),
    undefined,
  );
}

function whole(present: EventRow | undefined, page: readonly EventRow[]): Omit<Whole, 'resumptions'> {
  const events = page.map(eventLifecycle);
  if (!present)
    return {
      state: null,
      since: null,
      next: 'Nothing: its events are past their retention.',
      hindrance: null,
      events,
    };
  const { state, since, next, hindrance } = eventLifecycle(present);
  return { state, since, next, hindrance, events };
}
