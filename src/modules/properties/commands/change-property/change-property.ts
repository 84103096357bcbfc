import { Injectable } from '@nestjs/common';
import type { OpContext } from '../../../../platform/context/op-context.js';
import { runOnce, type Claim, type StoredAnswer } from '../../../../platform/database/idempotency.js';
import { UnitOfWork } from '../../../../platform/database/unit-of-work.js';
import { answer } from '../../../../platform/http/answer.js';
import { patchOf } from '../../../../platform/http/patch.js';
import { requireVersion } from '../../../../platform/http/request.js';
import { appendChanges } from '../../../outbox/contract/append-changes.js';
import { propertyView } from '../../queries/property-view.js';
import { lockProperty, writeProperty } from '../../persistence/property-rows.js';
import { propertyEvent } from '../property-event.js';

export interface ChangePropertyInput {
  readonly propertyId: string;
  /** The version that the caller saw; null compares nothing. */
  readonly ifVersion: number | null;
  readonly code?: string;
  readonly name?: string;
  readonly timeZone?: string;
}

/** Changes code, name or time zone of a property. */
@Injectable()
export class ChangeProperty {
  constructor(private readonly uow: UnitOfWork) {}

  /**
   * Answers 200 with the property; a change to what is already so writes nothing.
   * @throws DomainError PROPERTY_NOT_FOUND (404), PROPERTY_CODE_TAKEN (409), VERSION_STALE (412), PATCH_EMPTY (400)
   */
  execute(ctx: OpContext, input: ChangePropertyInput, claim: Claim | null): Promise<StoredAnswer> {
    return runOnce(this.uow, ctx, 'property.change', claim, async (tx) => {
      const before = await lockProperty(tx, input.propertyId);
      requireVersion(before.version, input.ifVersion);
      const patch = patchOf(before, input, ['code', 'name', 'timeZone']);
      if (patch.fields.length === 0) return answer(200, propertyView(before), { etag: before.version });
      const row = await writeProperty(tx, before, patch.values);
      await appendChanges(tx, ctx, [
        {
          aggregateType: 'property',
          aggregateId: row.propertyId,
          version: row.version,
          type: 'property.changed',
          data: { ...propertyEvent(row) },
          changes: patch.changes,
        },
      ]);
      return answer(200, propertyView(row), { etag: row.version, correlationId: ctx.correlationId });
    });
  }
}
