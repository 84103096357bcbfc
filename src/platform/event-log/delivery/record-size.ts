import { RecordRefusedError, type LogRecord, type ReadRecord } from '../event-log.js';

/** Framing of one record in Kafka's format, counted at its worst, and its share of the batch's header. */
const RECORD_OVERHEAD = 100;
const HEADER_OVERHEAD = 10;

/** Bytes that a record takes in the log; never less than what Kafka counts, so every adapter refuses the same records. */
export function recordBytes(record: LogRecord | ReadRecord): number {
  let bytes = RECORD_OVERHEAD + Buffer.byteLength(record.key ?? '') + (record.value?.length ?? 0);
  for (const name in record.headers) {
    bytes += HEADER_OVERHEAD + Buffer.byteLength(name) + Buffer.byteLength(record.headers[name] ?? '');
  }
  return bytes;
}

/**
 * Refuses before anything is sent: a batch half of which is in the log can't be refused any more.
 * @throws RecordRefusedError a record is larger than the topic takes, or names a partition that the topic hasn't
 */
export function requireAcceptable(
  topic: string,
  records: readonly LogRecord[],
  limits: { readonly partitions: number; readonly maxMessageBytes: number },
): void {
  for (const record of records) {
    if (
      !Number.isInteger(record.partition) ||
      record.partition < 0 ||
      record.partition >= limits.partitions
    ) {
      throw new RecordRefusedError(
        `topic ${topic} has ${limits.partitions} partitions, none is number ${record.partition}`,
      );
    }
    const bytes = recordBytes(record);
    if (bytes > limits.maxMessageBytes) {
      throw new RecordRefusedError(
        `a record of ${bytes} bytes is larger than the ${limits.maxMessageBytes} that topic ${topic} takes`,
      );
    }
  }
}

/** How many of `records`, from `start`, make one batch within both bounds; at least one, as a single record may exceed the bytes. */
export function batchLength(
  records: readonly ReadRecord[],
  start: number,
  maxRecords: number,
  maxBytes: number,
): number {
  let bytes = 0;
  let count = 0;
  while (start + count < records.length && count < maxRecords) {
    bytes += recordBytes(records[start + count]!);
    if (count > 0 && bytes > maxBytes) break;
    count += 1;
  }
  return count;
}
