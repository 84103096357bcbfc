import pg from 'pg';

/** What node-pg keeps of a connection, and what a query sends over it. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void };
  /** Texts of the prepared statements by name: those that the server has, and those on their way to it. */
  readonly parsedStatements: Record<string, string>;
  readonly submittedNamedStatements: Record<string, string>;
  parse(statement: { name: string | undefined; text: string }): void;
  bind(portal: { statement: string | undefined; values: unknown[] }): void;
  describe(portal: { type: 'P'; name: string }): void;
  execute(portal: object): void;
  sync(): void;
}

/** node-pg's reader of rows. */
interface Rows {
  addFields(fields: readonly object[]): void;
  parseRow(fields: readonly unknown[]): object;
}

const { prepareValue } = (pg as unknown as { utils: { prepareValue: (value: unknown) => unknown } }).utils;

/** How the rows of each prepared statement are read: as the server described it once on that connection. */
const described = new WeakMap<Wire, Map<string, Rows>>();

/**
 * Statements in one message with one Sync: PostgreSQL runs them in one transaction, which it commits at the Sync, or undoes with
 * the first error. They need no BEGIN and no COMMIT, leave in one write and are answered in one.
 * Source: PostgreSQL, "Message Flow: Pipelining". A `Query`, since node-pg takes nothing else in pipeline mode.
 */
export class Batch extends (pg.Query as unknown as new (config: object) => object) {
  /** Of the statement that is being answered: node-pg asks for both when the server has parsed it. */
  name: string | undefined;
  text: string;
  private readonly values: unknown[][];
  private readonly answers: object[][] = [];
  private answer: object[] = [];
  private known = new Map<string, Rows>();
  private shape: Rows | undefined;

  /**
   * @param statements each with its values
   * @param callback gets the rows of each; with an error, of those that were answered before it undid them all
   * @throws when a value can't be sent
   */
  constructor(
    private readonly statements: readonly pg.QueryConfig[],
    public callback: (error: Error | null, answers?: readonly object[][]) => void,
  ) {
    super({ text: '' });
    this.name = statements[0]!.name;
    this.text = statements[0]!.text;
    // All, before any is sent: half a message would never be answered.
    this.values = statements.map(({ values = [] }) => values.map(prepareValue));
  }

  submit(wire: Wire): null {
    this.known = described.get(wire) ?? new Map<string, Rows>();
    described.set(wire, this.known);
    wire.stream.cork();
    this.statements.forEach(({ name, text }, i) => {
      if (name === undefined || !(wire.parsedStatements[name] ?? wire.submittedNamedStatements[name])) {
        wire.parse({ name, text });
        if (name !== undefined) wire.submittedNamedStatements[name] = text;
      }
      wire.bind({ statement: name, values: this.values[i]! });
      if (name === undefined || !this.known.has(name)) wire.describe({ type: 'P', name: '' });
      wire.execute({});
    });
    wire.sync();
    wire.stream.uncork();
    return null;
  }

  handleRowDescription({ fields }: { fields: readonly object[] }): void {
    this.shape = new (pg.Result as unknown as new () => Rows)();
    this.shape.addFields(fields);
    if (this.name !== undefined) this.known.set(this.name, this.shape);
  }

  handleDataRow({ fields }: { fields: readonly unknown[] }): void {
    this.shape ??= this.known.get(this.name!)!;
    this.answer.push(this.shape.parseRow(fields));
  }

  handleCommandComplete(): void {
    this.answers.push(this.answer);
    this.answer = [];
    this.shape = undefined;
    const next = this.statements[this.answers.length];
    if (next) [this.name, this.text] = [next.name, next.text];
  }

  handleReadyForQuery(): void {
    this.callback(null, this.answers);
  }

  handleError(error: Error, wire: Wire): void {
    // What stood behind the one that failed was never parsed.
    for (const { name } of this.statements.slice(this.answers.length))
      if (name !== undefined) delete wire.submittedNamedStatements[name];
    this.callback(error, this.answers);
  }
}
