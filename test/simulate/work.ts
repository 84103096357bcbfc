import type { BackgroundTx, BackgroundWork } from '../../src/platform/database/unit-of-work.js';
import type { Sql } from '../../src/platform/database/sql.js';
import { isRetryable } from '../../src/platform/database/sqlstate.js';
import { type Database, pgError, type Statement, type Tx } from './database.js';
import type { Channel, Proc } from './world.js';

/** The public shape of a class, which a double has. */
export type Shape<T> = Pick<T, keyof T>;

/** Statements by name. */
export type Statements = Readonly<Record<string, Statement>>;

const ATTEMPTS = 6;
/** Nobody's fault but the infrastructure's. */
const WEATHER = ['40001', '57014', '53300', 'XX000'];

/** The background role's door to the database, in one process: transactions of named statements, over a network. */
export class SimulatedWork implements Shape<BackgroundWork> {
  constructor(
    private readonly proc: Proc,
    private readonly db: Database,
    private readonly statements: Statements,
  ) {}

  /** Every answer comes, or its connection ends: nobody waits for ever here. */
  answeredWithin(): BackgroundWork {
    return this as unknown as BackgroundWork;
  }

  async run<T>(_name: string, work: (tx: BackgroundTx) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      // The dead begin nothing.
      if (!this.proc.alive) return new Promise(() => undefined);
      const tx = this.db.begin(this.proc);
      const channel = { arrival: 0, answer: 0 };
      try {
        const result = await work({
          query: (statement: Sql, values: readonly unknown[]) => this.send(tx, channel, statement, values),
        } as unknown as BackgroundTx);
        await this.commit(tx, channel);
        return result;
      } catch (error) {
        // Sent, and not waited for.
        this.db.world.at(Math.max(this.db.world.now, channel.arrival) + 1, () => this.db.rollback(tx));
        if (!isRetryable(error) || tries === ATTEMPTS) throw error;
      }
    }
  }

  async query<T extends object>(statement: Sql, values: readonly unknown[]): Promise<T[]> {
    for (let tries = 1; ; tries++)
      try {
        return (await this.db.world.request<object[]>(this.proc, this.db.link, (reply) =>
          this.db.single(this.proc, this.statement(statement), values, reply),
        )) as T[];
      } catch (error) {
        if (!isRetryable(error) || tries === ATTEMPTS) throw error;
      }
  }

  private send<T extends object>(
    tx: Tx,
    channel: Channel,
    sent: Sql,
    values: readonly unknown[],
  ): Promise<T[]> {
    const { world, link } = this.db;
    return world.request<object[]>(
      this.proc,
      link,
      (reply) => {
        const bad = !world.calm && world.random.chance(0.01);
        if (bad) this.db.weather += 1;
        this.db.execute(tx, bad ? failing(world.random.pick(WEATHER)) : this.statement(sent), values, reply);
      },
      channel,
    ) as Promise<T[]>;
  }

  private commit(tx: Tx, channel: Channel): Promise<null> {
    const { world, link } = this.db;
    return world.request<null>(this.proc, link, (reply) => this.db.commit(tx, reply), channel);
  }

  private statement({ name }: Sql): Statement {
    const known = this.statements[name];
    if (!known) throw new TypeError(`the simulated database does not know ${name}`);
    return known;
  }
}

const failing = (code: string): Statement => ({
  run: () => {
    throw pgError(code);
  },
});
