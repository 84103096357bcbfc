import { traceparentFrom } from '../../../platform/context/op-context.js';
import type { ReadRecord } from '../../../platform/event-log/event-log.js';
import { type DecodedRecord, decodeRecord } from '../domain/decode.js';

/** Records decoded in one turn of the event loop, about a millisecond: whoever waits for the database hears of its answer meanwhile. */
const AT_ONCE = 50;

/** Reads each record once; those that follow ahead of their turn, while the batch before them is with the database and Node would idle. */
export class Decoder {
  private readonly decoded = new WeakMap<ReadRecord, DecodedRecord>();

  decode(record: ReadRecord): DecodedRecord {
    let decoded = this.decoded.get(record);
    if (!decoded) this.decoded.set(record, (decoded = inTrace(decodeRecord(record))));
    return decoded;
  }

  /** Decodes these bit by bit, later. */
  prepare(records: readonly ReadRecord[]): void {
    if (records.length === 0) return;
    setImmediate(() => {
      for (const record of records.slice(0, AT_ONCE)) this.decode(record);
      this.prepare(records.slice(AT_ONCE));
    });
  }
}

/** The event in its request's trace; in one of its own where the header is missing or broken. */
const inTrace = (decoded: DecodedRecord): DecodedRecord =>
  decoded.kind === 'bad'
    ? decoded
    : {
        ...decoded,
        event: { ...decoded.event, traceparent: traceparentFrom(decoded.record.headers['traceparent']) },
      };
