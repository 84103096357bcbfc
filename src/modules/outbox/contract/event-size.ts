import { DomainError } from '../../../platform/kernel/errors.js';
import type { NewEvent } from './events.js';

/** More than a record has beside its event's data: envelope, key, headers, framing, at their longest. A test measures it. */
export const RECORD_OVERHEAD = 2_048;

/** Largest data of an event, bytes, whatever the topic would take; a CHECK on outbox_events repeats it. */
export const MAX_DATA_BYTES = 1_000_000;

/** Most bytes that one UTF-16 unit takes in UTF-8. */
const WIDEST = 3;

let maxDataBytes = MAX_DATA_BYTES - RECORD_OVERHEAD;

/**
 * Sets what the topic takes (KAFKA_MAX_MESSAGE_BYTES); once, where the process is put together. Of the process and not passed
 * along: every command of every module appends, and none of them has anything else to do with the log.
 */
export function limitEvents(maxMessageBytes: number): void {
  maxDataBytes = Math.min(maxMessageBytes - RECORD_OVERHEAD, MAX_DATA_BYTES);
}

/**
 * The JSON of an event's data, if the record that it becomes fits into the topic: one that doesn't would be refused by every
 * broker for ever, and hold up its aggregate. Its dead letter fits as well: that topic takes twice as much.
 * @throws DomainError EVENT_TOO_LARGE (413)
 */
export function fittingData({ data }: NewEvent): string {
  const json = JSON.stringify(data);
  // Most are so short that nothing has to be measured.
  if (json.length * WIDEST <= maxDataBytes) return json;
  const bytes = Buffer.byteLength(json);
  if (bytes > maxDataBytes)
    throw new DomainError('EVENT_TOO_LARGE', 'VALIDATION', 'This is more than one event can carry.', {
      bytes,
      most: maxDataBytes,
    });
  return json;
}
