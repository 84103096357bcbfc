/** SQL expressions of the place of which the heads are wanted. */
export interface HeadsOf {
  readonly slot: string;
  readonly priority: string;
  /** Which tenants, `>= …` or `> …`; left out: all. */
  readonly tenants?: string;
  /** Only above it; left out: all. */
  readonly lowWater?: string;
  /** Columns of outbox_queue besides the tenant. */
  readonly columns: readonly string[];
}

/** The lowest tenant: who begins with it begins at the beginning. */
export const FIRST_TENANT = '00000000-0000-0000-0000-000000000000';

/**
 * A CTE `head`: the first queued row of each tenant of a slot and priority, in the order of the tenants. A descent into the index for
 * each, however many rows and dead rows lie between (PostgreSQL 18 skips from tenant to tenant; an older one wades through what
 * vacuum has not cleared).
 */
export function queueHeads({
  slot,
  priority,
  tenants = `>= '${FIRST_TENANT}'`,
  lowWater,
  columns,
}: HeadsOf): string {
  const first = (those: string): string => `
    SELECT q.tenant_id, ${columns.map((column) => `q.${column}`).join(', ')} FROM outbox_queue q
     WHERE q.slot = ${slot} AND q.priority = ${priority} AND q.tenant_id ${those}${lowWater ? ` AND q.queue_id > ${lowWater}` : ''}
     ORDER BY q.tenant_id, q.queue_id LIMIT 1`;
  return `
  WITH RECURSIVE head AS (
    (${first(tenants)})
    UNION ALL
    SELECT n.* FROM head CROSS JOIN LATERAL (${first('> head.tenant_id')}) n)`;
}
