import type { MigrationInterface, QueryRunner } from 'typeorm';

/** No event is larger than any record may be: a broker would refuse it for ever, and it would hold up its aggregate. */
export class EventSize1763700000009 implements MigrationInterface {
  readonly name = 'EventSize1763700000009';

  async up(runner: QueryRunner): Promise<void> {
    // The topic may take less (KAFKA_MAX_MESSAGE_BYTES): that the commands look to. This is what no configuration permits.
    await runner.query(`
      ALTER TABLE outbox_events ADD CONSTRAINT outbox_events_data_size CHECK (octet_length(data::text) <= 1000000)
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE outbox_events DROP CONSTRAINT outbox_events_data_size`);
  }
}
