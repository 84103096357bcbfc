import { Catch, type ExceptionFilter } from '@nestjs/common';
import {
  BaseRpcContext,
  Server,
  type CustomTransportStrategy,
  type MessageHandler,
} from '@nestjs/microservices';
import { isObservable, lastValueFrom, type Observable, throwError } from 'rxjs';
import { messageOf } from '../delivery/log-sink.js';
import type {
  BatchHandler,
  EventLog,
  RecordBatch,
  SubscribeOptions,
  Subscription,
  SubscriptionStatus,
} from '../event-log.js';

/** Binds a handler to this transport alone: `@EventPattern(topic, EVENT_LOG_TRANSPORT)`. */
export const EVENT_LOG_TRANSPORT = Symbol('event-log');

/**
 * What an `@EventPattern` handler gets. It answers `assigned` with the offset to read from (bigint, or null: from the beginning),
 * `batch` with the next offset to read (bigint), and `revoked` with anything.
 */
export type EventLogMessage =
  | { readonly kind: 'assigned'; readonly topic: string; readonly partition: number }
  | { readonly kind: 'revoked'; readonly topic: string; readonly partition: number }
  | { readonly kind: 'batch'; readonly batch: RecordBatch };

/** One topic to read. `pattern` is what stands in `@EventPattern`; the topic's own name by default. */
export interface TransportSubscription extends SubscribeOptions {
  readonly pattern?: string;
}

/** A subscription and how it does, for probes. */
export interface TransportStatus {
  readonly topic: string;
  readonly group: string;
  readonly status: SubscriptionStatus;
}

/** The handlers and subscriptions of this process don't fit together; thrown at `listen`, naming every fault. */
export class TransportBindingError extends Error {
  override readonly name = 'TransportBindingError';
}

/** A handler failed; `cause` is what it threw, or what Nest's exceptions layer made of that. */
export class EventHandlerError extends Error {
  override readonly name = 'EventHandlerError';
}

/** Topic and partition, as Nest's second handler argument (`@Ctx()`). */
export class EventLogContext extends BaseRpcContext<[topic: string, partition: number]> {}

/**
 * For `@UseFilters` on controllers of events: lets an error through as it is. Without it Nest logs the error and puts
 * "Internal server error" in its place: the batch is retried just the same, but the subscription's status can't say why.
 */
@Catch()
export class EventErrorsPassThrough implements ExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

/**
 * Nest's transport over the EventLog port: binds `@EventPattern` handlers to topics, a batch at a time. Nest's own Kafka transport
 * hands over single messages and retries a throwing one for ever.
 *
 * `app.connectMicroservice({ strategy: new EventLogTransport(eventLog, subscriptions) })`. `close` (which `app.close()` calls
 * after `beforeApplicationShutdown` and before `onApplicationShutdown`) drains: end pools in the latter.
 */
export class EventLogTransport extends Server implements CustomTransportStrategy {
  override readonly transportId: symbol = EVENT_LOG_TRANSPORT;
  // The rejection reaches the event log, which reports it: Nest must not count it as lost.
  override readonly propagatesEventHandlerErrors: boolean = true;
  private open: { options: TransportSubscription; subscription: Subscription }[] = [];

  constructor(
    private readonly eventLog: EventLog,
    private readonly subscriptions: readonly TransportSubscription[],
  ) {
    super();
  }

  /** Nest calls it; a fault goes to `callback`, from where `startAllMicroservices` throws it. */
  async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      this.requireFit();
      for (const options of this.subscriptions) {
        const subscription = await this.eventLog.subscribe(options, this.handlerFor(options));
        this.open.push({ options, subscription });
      }
    } catch (error) {
      await this.close();
      return callback(error);
    }
    callback();
  }

  /** Stops every subscription, each after the batch in hand. */
  async close(): Promise<void> {
    const open = this.open;
    this.open = [];
    await Promise.all(open.map(({ subscription }) => subscription.stop()));
  }

  /** How every subscription does; empty before `listen` and after `close`. */
  statuses(): TransportStatus[] {
    return this.open.map(({ options: { topic, group }, subscription }) => ({
      topic,
      group,
      status: subscription.status(),
    }));
  }

  override on(): never {
    throw new Error('EventLogTransport emits no events; see statuses()');
  }

  override unwrap<T>(): T {
    return this.eventLog as T;
  }

  private requireFit(): void {
    const patterns = new Set(this.subscriptions.map(patternOf));
    const faults: string[] = [];
    for (const pattern of patterns) {
      if (!this.messageHandlers.has(pattern))
        faults.push(`no @EventPattern(${JSON.stringify(pattern)}) handles the topic that is subscribed to`);
    }
    for (const [pattern, handler] of this.messageHandlers) {
      if (!patterns.has(pattern))
        faults.push(
          `the handler of ${JSON.stringify(pattern)} would never be called: no such topic is subscribed to`,
        );
      if (!handler.isEventHandler)
        faults.push(`${JSON.stringify(pattern)} is a @MessagePattern: the event log knows no replies`);
      // Each would answer its own offset, and only one of them can be right.
      if (handler.next)
        faults.push(`${JSON.stringify(pattern)} has several handlers: give each a group of its own`);
    }
    if (faults.length > 0) throw new TransportBindingError(faults.join('\n'));
  }

  private handlerFor(options: TransportSubscription): BatchHandler {
    const handler = this.messageHandlers.get(patternOf(options))!;
    return {
      assigned: async (topic, partition) => {
        const answer = await dispatch(handler, { kind: 'assigned', topic, partition }, topic, partition);
        if (answer === null || typeof answer === 'bigint') return answer;
        throw new EventHandlerError(
          `the handler of ${topic} answered 'assigned' with ${typeof answer}, not with an offset or null`,
        );
      },
      revoked: async (topic, partition) => {
        await dispatch(handler, { kind: 'revoked', topic, partition }, topic, partition);
      },
      batch: async (batch) => {
        const answer = await dispatch(handler, { kind: 'batch', batch }, batch.topic, batch.partition);
        if (typeof answer === 'bigint') return answer;
        throw new EventHandlerError(
          `the handler of ${batch.topic} answered a batch with ${typeof answer}, not with an offset`,
        );
      },
    };
  }
}

const patternOf = ({ pattern, topic }: TransportSubscription): string => pattern ?? topic;

/** Nest wraps what a handler throws into an Observable that errors: only subscribing to it brings the failure to light. */
async function dispatch(
  handler: MessageHandler,
  message: EventLogMessage,
  topic: string,
  partition: number,
): Promise<unknown> {
  try {
    const answer: unknown = await handler(message, new EventLogContext([topic, partition]));
    return isObservable(answer) ? await lastValueFrom(answer, { defaultValue: undefined }) : answer;
  } catch (error) {
    const text =
      error instanceof Error
        ? error.message
        : ((error as { message?: string } | null)?.message ?? messageOf(error));
    throw new EventHandlerError(`the handler of ${topic} failed on ${message.kind}: ${text}`, {
      cause: error,
    });
  }
}
