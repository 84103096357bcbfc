import { sql } from '../../../platform/database/sql.js';
import type { BackgroundTx } from '../../../platform/database/unit-of-work.js';

const STEER = sql(
  'outbox.steer',
  `SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)`,
);

/**
 * Keeps a hot queue's statements on its one index. A plan that was cached while the queue was empty reads the whole table,
 * and would go on doing so with a million rows in it.
 */
export async function steerToIndexes(tx: BackgroundTx): Promise<void> {
  await tx.query(STEER, []);
}
