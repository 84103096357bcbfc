import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { gunzip } from 'node:zlib';
import { promisify } from 'node:util';
import { CsvError, parse } from 'csv-parse/sync';
import { BrokenFileError, COLUMNS, parseBooking, type HotelBooking } from '../domain/hotel-booking.js';

/** A file, read whole: a fault in its last row is found before its first is imported. */
export interface BookingFile {
  /** Of the bytes as they lie on disk. */
  readonly sha256: string;
  readonly bookings: readonly HotelBooking[];
}

const unzip = promisify(gunzip);
const isGzip = (bytes: Buffer): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

async function textOf(bytes: Buffer): Promise<string> {
  if (!isGzip(bytes)) return bytes.toString('utf8');
  try {
    return (await unzip(bytes)).toString('utf8');
  } catch (error) {
    throw new BrokenFileError('the gzip is cut or damaged: it can not be read to its end', null, null, {
      cause: error,
    });
  }
}

function rowsOf(text: string): Record<string, string>[] {
  try {
    return parse(text, {
      bom: true,
      skip_empty_lines: true,
      columns: (header: string[]) => {
        const missing = COLUMNS.filter((column) => !header.includes(column));
        if (missing.length > 0)
          throw new BrokenFileError(`the header lacks ${missing.join(', ')}`, null, missing[0]!);
        return header;
      },
    });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const row = typeof error['records'] === 'number' ? error['records'] + 1 : null;
    throw new BrokenFileError(`row ${row ?? '?'}: ${error.message}`, row, null, { cause: error });
  }
}

/**
 * Reads the Hotel Booking Demand file, gzipped or plain.
 * @throws BrokenFileError naming row and column; the file system's own error when it can't be read
 */
export async function readBookings(path: string): Promise<BookingFile> {
  const bytes = await readFile(path);
  const rows = rowsOf(await textOf(bytes));
  if (rows.length === 0) throw new BrokenFileError('the file has no rows', null, null);
  return {
    sha256: createHash('sha256').update(bytes).digest('hex'),
    bookings: rows.map((row, i) => parseBooking(row, i + 1)),
  };
}
