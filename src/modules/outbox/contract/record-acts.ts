import type { OpContext } from '../../../platform/context/op-context.js';
import { sql } from '../../../platform/database/sql.js';
import type { BackgroundTx } from '../../../platform/database/unit-of-work.js';
import { newId, type TenantId } from '../../../platform/kernel/ids.js';
import type { Changes } from './append-changes.js';

/** What an operator or a loop did to the machinery, as opposed to a change of an aggregate, which has an event. */
export interface Act {
  /** Whose it is; the platform's own tenant for what concerns all. */
  readonly tenantId: TenantId;
  /** `<thing>.<past tense>`: `outbox.requeued`. */
  readonly action: string;
  readonly resourceType: string;
  readonly resourceId: string;
  /** What changed, with the operator's reason. */
  readonly changes: Changes;
}

const SCOPE = sql('outbox.audit_scope', `SELECT set_config('app.tenant_id', $1, true)`);
const RECORD = sql(
  'outbox.record_acts',
  `INSERT INTO audit_log (tenant_id, audit_id, actor, source, ip, action, resource_type, resource_id, correlation_id, changes)
   SELECT $1, a.* FROM json_to_recordset($2::json) AS a(audit_id uuid, actor text, source text, ip inet, action text,
     resource_type text, resource_id uuid, correlation_id uuid, changes json)`,
);

/**
 * Writes the audit rows of acts in the transaction that does them: either both happen, or neither. Last in its transaction:
 * it leaves the transaction in the scope of one tenant.
 */
export async function recordActs(
  tx: BackgroundTx,
  ctx: Pick<OpContext, 'actor' | 'source' | 'ip' | 'correlationId'>,
  acts: readonly Act[],
): Promise<void> {
  for (const [tenantId, own] of Map.groupBy(acts, (act) => act.tenantId)) {
    await tx.query(SCOPE, [tenantId]);
    const rows = own.map(({ action, resourceType, resourceId, changes }) => ({
      audit_id: newId(),
      actor: ctx.actor.subject,
      source: ctx.source,
      ip: ctx.ip,
      action,
      resource_type: resourceType,
      resource_id: resourceId,
      correlation_id: ctx.correlationId,
      changes,
    }));
    await tx.query(RECORD, [tenantId, JSON.stringify(rows)]);
  }
}
