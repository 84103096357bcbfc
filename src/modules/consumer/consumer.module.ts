import { hostname } from 'node:os';
import {
  Inject,
  Injectable,
  Logger,
  Module,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { AppConfig } from '../../platform/config/config.js';
import { APP_CONFIG } from '../../platform/config/config.token.js';
import { BackgroundWork } from '../../platform/database/unit-of-work.js';
import { EventLog } from '../../platform/event-log/event-log.js';
import type { TransportSubscription } from '../../platform/event-log/transport/event-log-transport.js';
import { newId } from '../../platform/kernel/ids.js';
import { LoopRegistry } from '../../platform/worker/loop-registry.js';
import { ReservationEventConsumer, RESERVATION_EVENTS } from './consumers/reservation-event-consumer.js';
import { Projectors } from './contract/projector.js';
import { DeadLetterPublisher } from './dead-letters/dead-letter-publisher.js';
import { ReplayPublisher } from './dead-letters/replay-publisher.js';
import { DeadLetterStore } from './persistence/dead-letter-store.js';
import { ReplayStore } from './persistence/replay-store.js';
import { EventProcessor } from './processing/event-processor.js';

/** What the transport has to subscribe to, for `new EventLogTransport(eventLog, [reservationSubscription(config)])`. */
export const reservationSubscription = (config: AppConfig): TransportSubscription => ({
  pattern: RESERVATION_EVENTS,
  topic: config.topic,
  group: config.consumerGroup,
  maxBatchRecords: config.maxBatchRecords,
  maxBatchBytes: config.maxBatchBytes,
});

/** Runs the publishers of dead letters and of replays as long as the application. */
@Injectable()
class ConsumerLoops implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    @Inject(DeadLetterPublisher) private readonly publisher: DeadLetterPublisher,
    @Inject(ReplayPublisher) private readonly replays: ReplayPublisher,
    @Inject(Projectors) private readonly projectors: Projectors,
    @Inject(EventProcessor) events: EventProcessor,
    @Inject(LoopRegistry) loops: LoopRegistry,
  ) {
    loops.add(publisher.loop);
    loops.add(replays.loop);
    loops.add(events.watch);
  }

  onApplicationBootstrap(): void {
    // Applied without a projector would mean: never projected.
    if (this.projectors.all().length === 0)
      throw new Error('the consumer has no projectors: import their modules');
    this.publisher.loop.start();
    this.replays.loop.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all([this.publisher.loop.stop(), this.replays.loop.stop()]);
  }
}

const processor = {
  provide: EventProcessor,
  useFactory: (work: BackgroundWork, projectors: Projectors, config: AppConfig) =>
    new EventProcessor(
      // Before the broker gives the partition away.
      work.answeredWithin(0.75 * config.sessionTimeoutMs),
      projectors,
      {
        group: config.consumerGroup,
        owner: `${hostname()}:${process.pid}:${newId()}`,
        maxRetries: config.maxRetries,
        retryBackoffMs: config.retryBackoffMs,
        maxBatchRecords: config.maxBatchRecords,
      },
      new Logger('Consumer'),
    ),
  inject: [BackgroundWork, Projectors, APP_CONFIG],
};

const publisher = {
  provide: DeadLetterPublisher,
  useFactory: (work: BackgroundWork, log: EventLog, events: EventProcessor, config: AppConfig) => {
    const made = new DeadLetterPublisher(
      new DeadLetterStore(work, config.consumerGroup, config.topic),
      log,
      () => events.partitions(config.topic),
      { dlqTopic: config.dlqTopic, intervalMs: config.outboxSweepIntervalMs },
      new Logger('DeadLetters'),
    );
    events.onLetters(() => made.loop.wake());
    return made;
  },
  inject: [BackgroundWork, EventLog, EventProcessor, APP_CONFIG],
};

const replays = {
  provide: ReplayPublisher,
  useFactory: (work: BackgroundWork, log: EventLog, events: EventProcessor, config: AppConfig) => {
    const made = new ReplayPublisher(
      new ReplayStore(work, config.consumerGroup, config.topic),
      log,
      () => events.partitions(config.topic),
      { topic: config.topic, intervalMs: config.outboxSweepIntervalMs },
      new Logger('Replays'),
    );
    events.onLetters(() => made.loop.wake());
    return made;
  },
  inject: [BackgroundWork, EventLog, EventProcessor, APP_CONFIG],
};

/** Worker: applies the events of the log once each. A module with a projector imports this one and registers it. */
@Module({
  controllers: [ReservationEventConsumer],
  providers: [Projectors, processor, publisher, replays, ConsumerLoops],
  exports: [Projectors, EventProcessor, DeadLetterPublisher],
})
export class ConsumerModule {}
