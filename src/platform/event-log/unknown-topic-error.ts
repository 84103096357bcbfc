import { LogUnavailableError } from './event-log.js';

/**
 * The topic was never provisioned. A kind of LogUnavailableError, because no record is to blame and provisioning cures it:
 * records wait in the outbox instead of being dead-lettered by somebody's typing error. `subscribe` and `partitionCount`
 * throw it as well, so that a misnamed topic is seen at start and not as a consumer that is silent for ever.
 */
export class UnknownTopicError extends LogUnavailableError {
  constructor(readonly topic: string) {
    super(`unknown topic ${JSON.stringify(topic)}: provision it first (tartware topics provision)`);
  }
}
