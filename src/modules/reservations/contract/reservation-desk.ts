import { Inject, Injectable } from '@nestjs/common';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import type { TenantId } from '../../../platform/kernel/ids.js';
import { executeList, MAX_LIST, type Job, type Outcome } from '../commands/execute-list.js';

export { MAX_LIST, type Job, type Outcome };

/** The most commands that are gathered into one transaction. */
const GATHER = 64;
/** Transactions of one tenant at once: while two run, what comes in gathers into the next. */
const IN_FLIGHT = 2;

interface Waiting {
  readonly job: Job;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

/** The queue of one tenant. */
class Counter {
  readonly waiting: Waiting[] = [];
  running = 0;

  /** The next list: in order of arrival, no reservation and no key twice (the later one waits its turn). */
  next(): Waiting[] {
    const list: Waiting[] = [];
    const seen = new Set<string>();
    for (let i = 0; i < this.waiting.length && list.length < GATHER;) {
      const { command, claim } = this.waiting[i]!.job;
      const names = [command.reservationId, ...(claim ? [`${claim.principal} ${claim.key}`] : [])];
      if (names.some((name) => seen.has(name))) i++;
      else list.push(...this.waiting.splice(i, 1));
      for (const name of names) seen.add(name);
    }
    return list;
  }
}

/**
 * Where every command on reservations is handed in, one at a time or as a list. Concurrent requests of a tenant are
 * gathered: the first ones go at once, those that come while they run share the next transaction. No timer, so a lone
 * request waits for nothing, and no fights for the locks of a popular night.
 */
@Injectable()
export class ReservationDesk {
  private readonly counters = new Map<TenantId, Counter>();

  constructor(@Inject(UnitOfWork) private readonly uow: UnitOfWork) {}

  /** @returns the answer to send; @throws DomainError the refusal */
  async submit(job: Job): Promise<Extract<Outcome, { status: number }>> {
    const tenantId = job.ctx.tenantId;
    const outcome = await new Promise<Outcome>((resolve, reject) => {
      let counter = this.counters.get(tenantId);
      if (!counter) this.counters.set(tenantId, (counter = new Counter()));
      counter.waiting.push({ job, resolve, reject });
      this.work(tenantId, counter);
    });
    if (outcome instanceof Error) throw outcome;
    return outcome;
  }

  /** A list of one tenant in one transaction, for callers that have gathered it themselves. At most `MAX_LIST`. */
  submitList(tenantId: TenantId, jobs: readonly Job[]): Promise<Outcome[]> {
    return executeList(this.uow, tenantId, jobs);
  }

  private work(tenantId: TenantId, counter: Counter): void {
    while (counter.running < IN_FLIGHT && counter.waiting.length > 0) {
      const list = counter.next();
      counter.running++;
      void executeList(
        this.uow,
        tenantId,
        list.map(({ job }) => job),
      )
        .then(
          (outcomes) => list.forEach(({ resolve }, i) => resolve(outcomes[i]!)),
          (error: unknown) => list.forEach(({ reject }) => reject(error)),
        )
        .finally(() => {
          counter.running--;
          if (counter.running === 0 && counter.waiting.length === 0) this.counters.delete(tenantId);
          else this.work(tenantId, counter);
        });
    }
  }
}
