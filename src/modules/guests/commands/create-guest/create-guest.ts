import { Injectable } from '@nestjs/common';
import type { OpContext } from '../../../../platform/context/op-context.js';
import { runOnce, type Claim, type StoredAnswer } from '../../../../platform/database/idempotency.js';
import { UnitOfWork } from '../../../../platform/database/unit-of-work.js';
import { answer } from '../../../../platform/http/answer.js';
import { newId } from '../../../../platform/kernel/ids.js';
import { appendChanges } from '../../../outbox/contract/append-changes.js';
import { GUEST_FIELDS } from '../../contract/events.js';
import { refuseUnknownTenant } from '../../persistence/guest-rows.js';
import { GuestEntity } from '../../persistence/guest.entity.js';
import { changedFields, type GuestDetails } from '../guest-fields.js';

export type CreateGuestInput = GuestDetails & { readonly lastName: string };

/** Creates a guest. */
@Injectable()
export class CreateGuest {
  constructor(private readonly uow: UnitOfWork) {}

  /** Answers 201 with id and version only: answers are kept with their `Idempotency-Key`, and names must not be. */
  execute(ctx: OpContext, input: CreateGuestInput, claim: Claim | null): Promise<StoredAnswer> {
    const guestId = newId();
    return runOnce(this.uow, ctx, 'guest.create', claim, async (tx) => {
      const values = Object.fromEntries(GUEST_FIELDS.map((field) => [field, input[field] ?? null]));
      await tx.entities
        .insert(GuestEntity, { tenantId: tx.tenantId, guestId, ...values, version: 1 })
        .catch(refuseUnknownTenant);
      const fields = GUEST_FIELDS.filter((field) => input[field] != null);
      await appendChanges(tx, ctx, [
        {
          aggregateType: 'guest',
          aggregateId: guestId,
          version: 1,
          type: 'guest.created',
          data: { guestId, fields },
          changes: changedFields(fields),
        },
      ]);
      return answer(
        201,
        { id: guestId, version: 1 },
        {
          etag: 1,
          location: `/v1/guests/${guestId}`,
          correlationId: ctx.correlationId,
        },
      );
    });
  }
}
