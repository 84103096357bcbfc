import type { BackgroundTx } from '../../../platform/database/unit-of-work.js';
import type { EventEnvelope } from '../../outbox/contract/events.js';

/** An event that is being applied, in the trace of the request that caused it. */
export interface AppliedEvent extends EventEnvelope {
  /** W3C trace context: the request's trace, a span of this consumer's own. */
  readonly traceparent?: string;
}

/**
 * A read model that follows the events. `apply` runs in the transaction that records the events as applied, with the
 * events of one batch in the order of the log, each exactly once, those of one key without gaps. It should take few
 * set-based statements. A throw rolls the batch back; the event that causes it is found, tried again, and dead-lettered.
 */
export interface Projector {
  readonly name: string;
  apply(tx: BackgroundTx, events: readonly AppliedEvent[]): Promise<void>;
}

/** The projectors of this process: a module that has one registers it when it is made, before the first batch. */
export class Projectors {
  private readonly list: Projector[] = [];

  register(projector: Projector): void {
    if (this.list.some(({ name }) => name === projector.name))
      throw new Error(`two projectors are named ${projector.name}`);
    this.list.push(projector);
  }

  all(): readonly Projector[] {
    return this.list;
  }
}
