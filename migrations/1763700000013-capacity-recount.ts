import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Counts the capacity of the nights that were open before `capacity_nights` was; and lets a service ask which schema it has. */
export class CapacityRecount1763700000013 implements MigrationInterface {
  readonly name = 'CapacityRecount1763700000013';

  async up(runner: QueryRunner): Promise<void> {
    // The walls hold the owner too: within this transaction they don't, or it would find no night of any tenant.
    const tables = ['room_types', 'inventory_nights', 'capacity_nights'];
    await runner.query(`
      LOCK TABLE ${tables.join(', ')} IN ACCESS EXCLUSIVE MODE;
      ${tables.map((table) => `ALTER TABLE ${table} NO FORCE ROW LEVEL SECURITY;`).join('\n')}
      TRUNCATE capacity_nights;
      INSERT INTO capacity_nights (tenant_id, property_id, night, rooms)
      SELECT t.tenant_id, t.property_id, i.night, sum(i.rooms)
        FROM inventory_nights i JOIN room_types t USING (tenant_id, room_type_id) GROUP BY 1, 2, 3;
      ${tables.map((table) => `ALTER TABLE ${table} FORCE ROW LEVEL SECURITY;`).join('\n')}

      GRANT SELECT ON schema_migrations TO tartware_app, tartware_worker;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`REVOKE SELECT ON schema_migrations FROM tartware_app, tartware_worker`);
  }
}
