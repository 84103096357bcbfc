import type { LogRecord } from '../../src/platform/event-log/event-log.js';

/** A queue in PostgreSQL that a user might pick in place of our outbox. Its handler does nothing: the queue alone is measured. */
export interface QueuePeer {
  readonly name: string;
  /**
   * Events of a round, at most. A peer whose cost of an event grows with those that wait would take minutes for as many as the
   * others; fewer of them flatter it.
   */
  readonly most?: number;
  /** Puts the events in, in their order, into an empty queue. Not timed. */
  fill(records: readonly LogRecord[]): Promise<void>;
  /** Resolves when all of them are handled, and the database has it that they are. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** What of an event goes into a peer's queue, JSON: the envelope that our outbox publishes. */
export const payloadOf = ({ value }: LogRecord): object => JSON.parse(value.toString()) as object;
