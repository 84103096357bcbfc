import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The queue's indexes, built beside running relays and writers: CONCURRENTLY, which allows no transaction. Killed in the
 * middle, it runs again from the beginning: what a broken build left behind is dropped first.
 */
export class OutboxIndexes1763700000006 implements MigrationInterface {
  readonly name = 'OutboxIndexes1763700000006';
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    const exchanged = (await runner.query(
      `SELECT FROM pg_constraint WHERE conname = 'outbox_queue_pkey' AND array_length(conkey, 1) = 4`,
    )) as unknown[];
    if (exchanged.length === 0) {
      await build(runner, 'outbox_queue_heads', 'outbox_queue (slot, priority, tenant_id, queue_id)');
      await runner.query(
        `ALTER TABLE outbox_queue DROP CONSTRAINT outbox_queue_pkey,
           ADD CONSTRAINT outbox_queue_pkey PRIMARY KEY USING INDEX outbox_queue_heads`,
      );
    }
    // Two transactions can't both bring in what only one of them may: of active events with one key, one stands.
    await build(
      runner,
      'outbox_queue_dedupe',
      'outbox_queue (tenant_id, dedupe_key) WHERE dedupe_key IS NOT NULL',
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX outbox_queue_dedupe`);
    await runner.query(
      `ALTER TABLE outbox_queue DROP CONSTRAINT outbox_queue_pkey, ADD PRIMARY KEY (slot, queue_id)`,
    );
  }
}

async function build(runner: QueryRunner, name: string, definition: string): Promise<void> {
  const [found] = (await runner.query(
    `SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = to_regclass('public.${name}')`,
  )) as { valid: boolean }[];
  if (found && !found.valid) await runner.query(`DROP INDEX CONCURRENTLY ${name}`);
  await runner.query(`CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ${name} ON ${definition}`);
}
