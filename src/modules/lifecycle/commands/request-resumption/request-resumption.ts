import { Inject, Injectable } from '@nestjs/common';
import type { OpContext } from '../../../../platform/context/op-context.js';
import { runOnce, type Claim, type StoredAnswer } from '../../../../platform/database/idempotency.js';
import { UnitOfWork } from '../../../../platform/database/unit-of-work.js';
import { answer } from '../../../../platform/http/answer.js';
import { notFound } from '../../../../platform/kernel/errors.js';
import { REQUEST, RESERVATION } from '../../persistence/lifecycle-statements.js';
import { addResumption, type Subject } from '../../persistence/resumption-store.js';

/** Asks that a request or a reservation go on from its last checkpoint. A worker does it within a second or so. */
@Injectable()
export class RequestResumption {
  constructor(@Inject(UnitOfWork) private readonly uow: UnitOfWork) {}

  /**
   * Answers 202 with the resumption.
   * @param reason 1 to 500 characters, kept for ever: no person's data
   * @throws DomainError REQUEST_NOT_FOUND, RESERVATION_NOT_FOUND (404)
   */
  execute(ctx: OpContext, subject: Subject, reason: string, claim: Claim | null): Promise<StoredAnswer> {
    return runOnce(this.uow, ctx, 'lifecycle.request_resumption', claim, async (tx) => {
      const known = subject.type === 'request' ? REQUEST : RESERVATION;
      const [found] = await tx.query(known, [ctx.tenantId, subject.id]);
      if (!found) throw notFound(subject.type);
      const { correlationId } = ctx;
      return answer(202, await addResumption(tx, ctx, subject, reason), { correlationId });
    });
  }
}
