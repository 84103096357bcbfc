import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Module, type INestMicroservice, type Type, UseFilters } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { from, of, throwError, type Observable } from 'rxjs';
import { MemoryEventLog } from '../../src/platform/event-log/memory/memory-event-log.js';
import { UnknownTopicError } from '../../src/platform/event-log/unknown-topic-error.js';
import {
  EVENT_LOG_TRANSPORT,
  EventErrorsPassThrough,
  type EventLogContext,
  type EventLogMessage,
  EventLogTransport,
  TransportBindingError,
  type TransportSubscription,
} from '../../src/platform/event-log/transport/event-log-transport.js';
import { Happenings } from '../support/recording-handler.js';

const events = new Happenings();
let seen: string[] = [];
let values: string[] = [];
/** Taken for one batch in place of the ordinary work. */
let script: ((message: EventLogMessage) => unknown)[] = [];

function work(message: EventLogMessage): unknown {
  if (message.kind === 'assigned') return null;
  if (message.kind === 'revoked') return undefined;
  const { records } = message.batch;
  values.push(...records.map((record) => record.value!.toString()));
  return records.at(-1)!.offset + 1n;
}

function react(message: EventLogMessage): unknown {
  seen.push(message.kind);
  try {
    return (message.kind === 'batch' ? (script.shift() ?? work) : work)(message);
  } finally {
    // After the answer is on its way: a test that waits sees the effect.
    setImmediate(() => events.happened());
  }
}

@Controller()
class PlainController {
  @EventPattern('events', EVENT_LOG_TRANSPORT)
  async handle(@Payload() message: EventLogMessage, @Ctx() context: unknown): Promise<unknown> {
    seen.push((context as EventLogContext).getArgs().join('/'));
    return react(message);
  }
}

@Controller()
@UseFilters(EventErrorsPassThrough)
class FilteredController {
  @EventPattern('events')
  handle(@Payload() message: EventLogMessage): Observable<unknown> {
    const answer = react(message);
    return answer instanceof Promise ? from(answer) : of(answer);
  }
}

@Controller()
class AskingController {
  @MessagePattern('events')
  async handle(): Promise<null> {
    return null;
  }
}

describe('the Nest transport over the event log', () => {
  let app: INestMicroservice | null = null;
  let log: MemoryEventLog;
  let transport: EventLogTransport;

  const boot = async (
    controllers: Type[],
    subscriptions: Partial<TransportSubscription>[] = [{}],
  ): Promise<void> => {
    seen = [];
    values = [];
    script = [];
    log = new MemoryEventLog({ timing: { pauseMs: 2, backoffMinMs: 1, backoffMaxMs: 5 } });
    const limits = { partitions: 1, retentionMs: 60_000, maxMessageBytes: 10_000 };
    await log.provision([
      { name: 'events', ...limits },
      { name: 'renamed', ...limits },
    ]);
    transport = new EventLogTransport(
      log,
      subscriptions.map((part) => ({
        topic: 'events',
        group: 'g',
        maxBatchRecords: 10,
        maxBatchBytes: 10_000,
        ...part,
      })),
    );
    @Module({ controllers })
    class TestModule {}
    app = await NestFactory.createMicroservice(TestModule, { strategy: transport, logger: false });
    await app.listen();
  };
  const append = (...texts: string[]): Promise<unknown> =>
    log.append(
      'events',
      texts.map((text) => ({ partition: 0, key: 'k', value: Buffer.from(text), headers: {} })),
    );
  const applied = (count: number): Promise<void> =>
    events.until(`${count} values`, () => values.length >= count);
  const lastError = (): string | null => transport.statuses()[0]!.status.lastError;

  afterEach(async () => {
    await app?.close();
    app = null;
    await log.close();
  });

  it('hands assignments, batches and revocations to the one handler, and takes its answers', async () => {
    await boot([PlainController]);
    await append('a', 'b');
    await applied(2);
    expect(transport.statuses()).toEqual([
      {
        topic: 'events',
        group: 'g',
        status: { connected: true, partitions: [0], restarts: 0, lastError: null },
      },
    ]);
    await app!.close();
    expect(seen.filter((what) => !what.includes('/'))).toEqual(['assigned', 'batch', 'revoked']);
    expect(seen).toContain('events/0');
    expect(transport.statuses()).toEqual([]);
  });

  it.each([
    ['throws', () => Promise.reject(new Error('boom'))],
    [
      'throws at once',
      () => {
        throw new Error('boom');
      },
    ],
    ['answers an Observable that errors', () => throwError(() => new Error('boom'))],
    ['answers no offset', () => undefined],
  ])(
    'reads the batch again when the handler %s, though Nest swallows exceptions of event handlers',
    async (_how, fail) => {
      await boot([PlainController]);
      script.push(fail, fail);
      await append('a');
      await applied(1);
      expect(seen.filter((what) => what === 'batch')).toHaveLength(3);
      expect(lastError()).not.toBeNull();
    },
  );

  it("lets the handler's own error through with EventErrorsPassThrough; Observables are unwrapped", async () => {
    await boot([FilteredController]);
    script.push(() => {
      throw new Error('the database is away');
    });
    await append('a');
    await applied(1);
    expect(lastError()).toContain('the database is away');
  });

  it('maps a fixed pattern to a topic whose name is configured', async () => {
    await boot([PlainController], [{ pattern: 'events', topic: 'renamed' }]);
    await log.append('renamed', [{ partition: 0, key: 'k', value: Buffer.from('a'), headers: {} }]);
    await applied(1);
    expect(seen).toContain('renamed/0');
  });

  it('drains at close: the batch in hand ends before close does', async () => {
    await boot([PlainController]);
    let finish!: () => void;
    const entered = new Promise<EventLogMessage>((enter) => {
      script.push(
        (message) =>
          new Promise((resolve) => {
            enter(message);
            finish = () => resolve(work(message));
          }),
      );
    });
    await append('a');
    await entered;
    const closing = transport.close();
    finish();
    await closing;
    expect(values).toEqual(['a']);
    expect(seen.at(-1)).toBe('revoked');
  });

  it.each<[string, Type[], Partial<TransportSubscription>[], RegExp]>([
    ['a subscribed topic has no handler', [], [{}], /no @EventPattern\("events"\)/],
    ["a handler's topic isn't subscribed to", [PlainController], [], /"events" would never be called/],
    ['a topic has two handlers', [PlainController, FilteredController], [{}], /several handlers/],
    ['a handler wants to reply', [AskingController], [{}], /knows no replies/],
  ])('fails at listen when %s', async (_what, controllers, subscriptions, words) => {
    await expect(boot(controllers, subscriptions)).rejects.toThrow(words);
    await expect(boot(controllers, subscriptions)).rejects.toBeInstanceOf(TransportBindingError);
  });

  it('fails at listen when a topic was never provisioned, and leaves no subscription behind', async () => {
    await expect(
      boot([PlainController], [{}, { pattern: 'events', topic: 'evnets' }]),
    ).rejects.toBeInstanceOf(UnknownTopicError);
    expect(transport.statuses()).toEqual([]);
    expect(seen).toContain('revoked');
  });
});
