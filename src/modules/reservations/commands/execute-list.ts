import type { OpContext } from '../../../platform/context/op-context.js';
import {
  answerOf,
  claimLock,
  inProgress,
  type Claim,
  type StoredAnswer,
} from '../../../platform/database/idempotency.js';
import { sqlState, violatedConstraint } from '../../../platform/database/sqlstate.js';
import type { Tx, UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { conflict, DomainError } from '../../../platform/kernel/errors.js';
import type { TenantId } from '../../../platform/kernel/ids.js';
import { auditOf, eventOf, wakeRelay, type Change } from '../../outbox/contract/append-changes.js';
import { reservationView } from '../contract/reservation-view.js';
import { changesOf, eventData } from '../domain/change.js';
import type { ReservationCommand } from '../domain/commands.js';
import { decideAll, type Decision } from '../domain/decide.js';
import { House } from '../domain/house.js';
import { readHouse, type KeptKey } from '../persistence/reservation-store.js';
import { WRITE, writeValues, type LedgerRow } from '../persistence/statements.js';

/** One command of a list, with all that belongs to its request. */
export interface Job {
  readonly ctx: OpContext;
  readonly command: ReservationCommand;
  /** The request's claim on its Idempotency-Key; null where something else makes it repeatable (sweep, import). */
  readonly claim: Claim | null;
  /** The row of an import whose outcome is recorded with the command. */
  readonly importRow?: { readonly importId: string; readonly rowNumber: number };
}

/** An answer to send, or a refusal that changed nothing. */
export type Outcome = StoredAnswer | DomainError;

/** The most commands that one transaction takes. */
export const MAX_LIST = 256;

/** SQLSTATEs of a reservation that isn't where its lock left it. */
const UNIQUE_VIOLATION = '23505';
const INTERNAL_ERROR = 'XX000';

/** What a constraint means when the database was the one to notice. */
const REFUSALS: Readonly<Record<string, () => DomainError>> = {
  reservations_external_id_key: () =>
    conflict('EXTERNAL_ID_TAKEN', 'Another reservation of this property has this external id.'),
  reservations_room_in_house: () =>
    conflict('ROOM_OCCUPIED', 'Another reservation in house has this room number.'),
  reservations_pkey: () => conflict('RESERVATION_EXISTS', 'There is a reservation with this id already.'),
  idempotency_keys_pkey: inProgress,
};

const answerTo = (ctx: OpContext, { before, after }: Decision): StoredAnswer => ({
  status: before ? 200 : 201,
  headers: {
    'content-type': 'application/json; charset=utf-8',
    etag: `"${after.version}"`,
    'x-correlation-id': ctx.correlationId,
    ...(before ? {} : { location: `/v1/reservations/${after.reservationId}` }),
  },
  body: JSON.stringify({ data: { ...reservationView(after), correlationId: ctx.correlationId } }),
});

const changeOf = (decision: Decision): Change => ({
  aggregateType: 'reservation',
  aggregateId: decision.after.reservationId,
  version: decision.after.version,
  type: decision.eventType,
  data: eventData(decision),
  changes: changesOf(decision),
});

interface Done {
  readonly job: Job;
  readonly decision: Decision;
  readonly answer: StoredAnswer;
}

function ledgerRows(jobs: readonly Job[], outcomes: readonly (Decision | DomainError)[]): LedgerRow[] {
  return jobs.flatMap<LedgerRow>(({ importRow, command }, i) => {
    if (!importRow) return [];
    const outcome = outcomes[i]!;
    return outcome instanceof DomainError
      ? [{ ...importRow, outcome: 'REFUSED', code: outcome.code, reason: outcome.message }]
      : [{ ...importRow, outcome: 'ACCEPTED', reservationId: command.reservationId }];
  });
}

/** Writes what was decided, all in one statement, and commits. Every row must be where the locks left it. */
async function write(
  tx: Tx,
  house: House,
  done: readonly Done[],
  ledger: readonly LedgerRow[],
): Promise<void> {
  const changes = done.map(({ job, decision }) => ({ ctx: job.ctx, change: changeOf(decision) }));
  const written = {
    reservations: done.map(({ decision }) => decision.after),
    nights: house.changedNights(),
    kept: done.flatMap(({ job: { claim }, answer }) => (claim ? [{ claim, answer }] : [])),
    ledger,
    events: changes.map(({ ctx, change }) => eventOf(ctx, change)),
    audit: changes.map(({ ctx, change }) => auditOf(ctx, change)),
  };
  const creates = done.some(({ decision }) => !decision.before);
  await tx.conclude(WRITE, writeValues(tx.tenantId, creates ? UNIQUE_VIOLATION : INTERNAL_ERROR, written));
}

const keptBy = (kept: readonly KeptKey[], claim: Claim): KeptKey | undefined =>
  kept.find((row) => row.principal === claim.principal && row.key === claim.key);

/** What the list's keys already answer: the kept answer, 422 for another body, 409 for a twin that still runs. */
function keyedOutcome(job: Job, mine: boolean, kept: readonly KeptKey[]): Outcome | undefined {
  if (!job.claim) return undefined;
  if (!mine) return inProgress();
  const row = keptBy(kept, job.claim);
  if (!row) return undefined;
  try {
    return answerOf(row, job.claim);
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
}

/** Lock, decide, write: the one transaction of a list. */
async function inOneTransaction(
  uow: UnitOfWork,
  tenantId: TenantId,
  jobs: readonly Job[],
): Promise<Outcome[]> {
  const claims = jobs.flatMap(({ claim }) => (claim ? [claim] : []));
  const locks = claims.map((claim) => claimLock(tenantId, claim));
  return uow.runLocking({ tenantId }, 'reservations.execute', locks, async (tx, locked) => {
    const held = new Map(claims.map((claim, i) => [claim, locked[i] ?? false]));
    const { snapshot, kept } = await readHouse(
      tx,
      jobs.map(({ command }) => command),
      claims,
    );
    const outcomes: (Outcome | undefined)[] = jobs.map((job) =>
      keyedOutcome(job, job.claim === null || held.get(job.claim) === true, kept),
    );
    const open = jobs.filter((_, i) => !outcomes[i]);
    const house = new House(snapshot);
    const decided = decideAll(house, open);
    const done: Done[] = [];
    open.forEach((job, i) => {
      const outcome = decided[i]!;
      const answer = outcome instanceof DomainError ? outcome : answerTo(job.ctx, outcome);
      if (!(outcome instanceof DomainError))
        done.push({ job, decision: outcome, answer: answer as StoredAnswer });
      outcomes[jobs.indexOf(job)] = answer;
    });
    const ledger = ledgerRows(open, decided);
    if (done.length > 0) tx.afterCommit(wakeRelay);
    if (done.length > 0 || ledger.length > 0) await write(tx, house, done, ledger);
    return outcomes as Outcome[];
  });
}

const isTooLarge = (error: unknown): error is DomainError =>
  error instanceof DomainError && error.code === 'EVENT_TOO_LARGE';

/** The database refuses what one member brings: a constraint (class 23), or a value that no door should have let in (22); or its event is too large. */
const isOneMembersFault = (error: unknown): boolean =>
  isTooLarge(error) || /^2[23]/.test(sqlState(error) ?? '');

/** A refusal where the constraint has a meaning; else a fault of ours, which is that member's alone as well. */
function refusalOf(error: unknown): DomainError {
  if (isTooLarge(error)) return error;
  if (!isOneMembersFault(error)) throw error;
  const refusal = REFUSALS[violatedConstraint(error) ?? ''];
  return refusal
    ? refusal()
    : new DomainError('INTERNAL', 'INTERNAL', 'Something went wrong on our side.', undefined, {
        cause: error,
      });
}

/**
 * Executes a list of commands of one tenant in one transaction, in its order, each with its own outcome.
 * A reservation and an Idempotency-Key stand at most once in a list. When the list is refused for one
 * member's sake, each member runs alone, and only that one is refused.
 */
export async function executeList(
  uow: UnitOfWork,
  tenantId: TenantId,
  jobs: readonly Job[],
): Promise<Outcome[]> {
  if (jobs.length > MAX_LIST) throw new RangeError(`a list has at most ${MAX_LIST} commands`);
  if (new Set(jobs.map(({ command }) => command.reservationId)).size < jobs.length)
    throw new RangeError('a reservation stands at most once in a list');
  try {
    return await inOneTransaction(uow, tenantId, jobs);
  } catch (error) {
    if (!isOneMembersFault(error)) throw error;
    if (jobs.length === 1) return [refusalOf(error)];
  }
  const outcomes: Outcome[] = [];
  for (const job of jobs)
    try {
      outcomes.push(...(await inOneTransaction(uow, tenantId, [job])));
    } catch (error) {
      outcomes.push(refusalOf(error));
    }
  return outcomes;
}
