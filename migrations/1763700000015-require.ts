import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Lets a statement refuse what it finds. A client that looks at the answer before it goes on needs a round trip for it; a transaction
 * whose statements refuse by themselves can be sent ahead.
 */
export class Require1763700000015 implements MigrationInterface {
  readonly name = 'Require1763700000015';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- Volatile: it must not be left out, or called at another time.
      CREATE FUNCTION app.require(sound boolean, code text, what text) RETURNS boolean LANGUAGE plpgsql AS $$
      BEGIN
        IF sound IS NOT TRUE THEN
          RAISE EXCEPTION 'refused: %', what USING ERRCODE = code, CONSTRAINT = what;
        END IF;
        RETURN true;
      END $$;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION app.require');
  }
}
