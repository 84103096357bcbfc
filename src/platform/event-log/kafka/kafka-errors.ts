import { LogUnavailableError, RecordRefusedError } from '../event-log.js';
import { messageOf } from '../delivery/log-sink.js';
import { UnknownTopicError } from '../unknown-topic-error.js';

/** The broker's verdicts on the bytes themselves: sent again, they would be refused again. */
const REFUSALS = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
]);

/** The broker's error code, wherever kafkajs's retries have wrapped it. */
export function protocolTypeOf(error: unknown): string | null {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('type' in at && typeof at.type === 'string') return at.type;
  }
  return null;
}

/** The port's error for one of kafkajs's; whatever isn't a verdict on a record is unavailability. */
export function toLogError(topic: string, error: unknown): RecordRefusedError | LogUnavailableError {
  if (error instanceof RecordRefusedError || error instanceof LogUnavailableError) return error;
  const type = protocolTypeOf(error);
  if (type !== null && REFUSALS.has(type))
    return new RecordRefusedError(`Kafka refuses a record of ${topic}: ${type}`, { cause: error });
  if (type === 'UNKNOWN_TOPIC_OR_PARTITION') return new UnknownTopicError(topic);
  return new LogUnavailableError(`Kafka, topic ${topic}: ${messageOf(error)}`, { cause: error });
}
