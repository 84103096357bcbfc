import kafkajs, { Kafka, logLevel, type logCreator, type RetryOptions } from 'kafkajs';
import { within } from '../../worker/within.js';
import type { LogSink } from '../delivery/log-sink.js';
import { leanDecoder } from './lean-decoder.js';
import { leanEncoder } from './lean-encoder.js';

leanEncoder();
leanDecoder();

/** What every connection to the brokers needs. */
export interface KafkaSettings {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly sink: LogSink;
}

/** Longest wait for an answer of a broker, ms. */
export const REQUEST_TIMEOUT_MS = 10_000;

/**
 * A few quick retries within a call, about two seconds in all. The long patience is ours (outbox, supervisors), where it shows in
 * statuses: kafkajs's own default hides an outage for half a minute.
 */
export const RETRY: RetryOptions = { retries: 4, initialRetryTime: 50, maxRetryTime: 1_000 };

/** The same words from kafkajs are forwarded at most once in this time, ms: an outage repeats them at every try. */
const REPEAT_MS = 30_000;

/**
 * A client of its own for each producer, admin and consumer session. Not shared: kafkajs keeps the committed offsets of all
 * consumers of one Kafka object in one map, which each rejoin clears under the others' feet.
 */
export function createKafka({ brokers, clientId, sink }: KafkaSettings, retry: RetryOptions = RETRY): Kafka {
  hearUnheard(sink);
  return new Kafka({
    brokers: [...brokers],
    clientId,
    retry,
    connectionTimeout: 3_000,
    requestTimeout: REQUEST_TIMEOUT_MS,
    logLevel: logLevel.WARN,
    logCreator: forwardTo(sink),
  });
}

let heard = false;

/**
 * A connection that breaks in the midst of a rebalance rejects requests that kafkajs itself no longer waits for, and Node ends a
 * process for a rejection that nobody hears. Of kafkajs's own errors it is told; whatever it felled shows by its silence, and is
 * replaced. Anybody else's ends the process as before.
 */
function hearUnheard(sink: LogSink): void {
  if (heard) return;
  heard = true;
  process.on('unhandledRejection', (reason) => {
    if (!(reason instanceof kafkajs.KafkaJSError)) throw reason;
    sink.warn(`kafkajs left a failure to nobody: ${reason.name}: ${reason.message}`);
  });
}

/** Longest wait for a client to let go of its brokers, ms. */
const FAREWELL_MS = 5_000;

/**
 * Ends a client, or gives up waiting for it: kafkajs waits for the answers of all requests under way, and one that was sent in the
 * midst of a rebalance may never have one.
 */
export const disconnect = (client: { disconnect(): Promise<void> }): Promise<void> =>
  within(FAREWELL_MS, "kafkajs's farewell", () => client.disconnect()).catch(() => undefined);

/** When each sink got which words; by sink, as every session has a client of its own. */
const reported = new WeakMap<LogSink, Map<string, number>>();

/** Everything as a warning: what is an error is decided by those who know whether it was got over. */
function forwardTo(sink: LogSink): logCreator {
  const last = reported.get(sink) ?? new Map<string, number>();
  reported.set(sink, last);
  return () =>
    ({ namespace, log }) => {
      const text = `kafkajs ${namespace}: ${log.message}${typeof log['error'] === 'string' ? ` (${log['error']})` : ''}`;
      if (Date.now() - (last.get(text) ?? 0) < REPEAT_MS) return;
      if (last.size > 200) last.clear();
      last.set(text, Date.now());
      sink.warn(text);
    };
}
