import { Controller, Inject, UseFilters } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import {
  EVENT_LOG_TRANSPORT,
  EventErrorsPassThrough,
  type EventLogMessage,
} from '../../../platform/event-log/transport/event-log-transport.js';
import { EventProcessor } from '../processing/event-processor.js';

/** What stands in `@EventPattern`: the transport's subscription maps it to RESERVATION_TOPIC. */
export const RESERVATION_EVENTS = 'reservations';

/** The door by which the event log's batches come in. */
@Controller()
@UseFilters(EventErrorsPassThrough)
export class ReservationEventConsumer {
  constructor(@Inject(EventProcessor) private readonly processor: EventProcessor) {}

  /** Answers as BatchHandler's methods do. */
  @EventPattern(RESERVATION_EVENTS, EVENT_LOG_TRANSPORT)
  async handle(@Payload() message: EventLogMessage): Promise<bigint | null | void> {
    if (message.kind === 'batch') return this.processor.batch(message.batch);
    const { topic, partition } = message;
    if (message.kind === 'assigned') return this.processor.assigned(topic, partition);
    return this.processor.revoked(topic, partition);
  }
}
