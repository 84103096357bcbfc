import { Injectable } from '@nestjs/common';
import type { OpContext } from '../../../../platform/context/op-context.js';
import { runOnce, type Claim, type StoredAnswer } from '../../../../platform/database/idempotency.js';
import { UnitOfWork } from '../../../../platform/database/unit-of-work.js';
import { answer } from '../../../../platform/http/answer.js';
import { patchOf } from '../../../../platform/http/patch.js';
import { requireVersion } from '../../../../platform/http/request.js';
import { appendChanges } from '../../../outbox/contract/append-changes.js';
import { GUEST_FIELDS } from '../../contract/events.js';
import { lockGuest } from '../../persistence/guest-rows.js';
import { GuestEntity } from '../../persistence/guest.entity.js';
import { changedFields, type GuestDetails } from '../guest-fields.js';

export type ChangeGuestInput = GuestDetails & {
  readonly guestId: string;
  /** The version that the caller saw; null compares nothing. */
  readonly ifVersion: number | null;
};

/** Changes a guest's details. */
@Injectable()
export class ChangeGuest {
  constructor(private readonly uow: UnitOfWork) {}

  /**
   * Answers 200 with id and version only, as `CreateGuest`; a change to what is already so writes nothing.
   * @throws DomainError GUEST_NOT_FOUND (404), VERSION_STALE (412), PATCH_EMPTY (400)
   */
  execute(ctx: OpContext, input: ChangeGuestInput, claim: Claim | null): Promise<StoredAnswer> {
    const { guestId } = input;
    return runOnce(this.uow, ctx, 'guest.change', claim, async (tx) => {
      const before = await lockGuest(tx, guestId);
      requireVersion(before.version, input.ifVersion);
      const { fields, values } = patchOf(before, input, GUEST_FIELDS);
      if (fields.length === 0)
        return answer(200, { id: guestId, version: before.version }, { etag: before.version });
      const version = before.version + 1;
      await tx.entities.update(
        GuestEntity,
        { tenantId: tx.tenantId, guestId, version: before.version },
        { ...values, version, updatedAt: () => 'now()' },
      );
      await appendChanges(tx, ctx, [
        {
          aggregateType: 'guest',
          aggregateId: guestId,
          version,
          type: 'guest.changed',
          data: { guestId, fields },
          changes: changedFields(fields),
        },
      ]);
      return answer(200, { id: guestId, version }, { etag: version, correlationId: ctx.correlationId });
    });
  }
}
