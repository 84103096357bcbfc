import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable, Transform, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { ident, type OwnerSession } from '../../../platform/database/owner-session.js';

const FETCH = 2_000;

/** What was exported. */
export interface PartitionExport {
  readonly partition: string;
  readonly rows: number;
  /** Of the bytes of the file as it is, compressed or not. */
  readonly bytes: number;
  readonly sha256: string;
}

/** There is no detached month of that name. */
export class NoDetachedMonthError extends Error {
  override readonly name = 'NoDetachedMonthError';
}

/**
 * Writes the rows of a detached month as JSON lines, in the order of their keys, gzipped when `file` ends in `.gz`.
 * All or nothing: the file has its name only once it is whole and on the disk.
 * @param to a path, or a stream (left open)
 * @param progress called now and then with the rows so far
 * @throws NoDetachedMonthError
 */
export async function exportPartition(
  session: OwnerSession,
  partition: string,
  to: string | Writable,
  progress: (rows: number) => void = () => undefined,
): Promise<PartitionExport> {
  const [month] = await session.query(
    `SELECT 1 FROM partition_ledger WHERE partition = $1 AND detached_at IS NOT NULL AND dropped_at IS NULL`,
    [partition],
  );
  if (!month) throw new NoDetachedMonthError(`${partition} is no detached month: see partitions status`);
  const hash = createHash('sha256');
  let rows = 0;
  let bytes = 0;
  const count = new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk);
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  const lines = async function* (): AsyncGenerator<string> {
    for await (const batch of batches(session, partition)) {
      rows += batch.length;
      progress(rows);
      yield batch.map((line) => `${line}\n`).join('');
    }
  };
  const gzip = typeof to === 'string' && to.endsWith('.gz') ? [createGzip()] : [];
  // One transaction: the cursor needs it, and the rows are those of one moment.
  await session.atomically(async () => {
    const parts = [Readable.from(lines()), ...gzip, count];
    if (typeof to === 'string') await intoFile(to, (file) => pipeline([...parts, file]));
    else await pipeline([...parts, to], { end: false });
  });
  return { partition, rows, bytes, sha256: hash.digest('hex') };
}

async function* batches(session: OwnerSession, partition: string): AsyncGenerator<string[]> {
  const [key] = await session.query<{ columns: string | null }>(
    `SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.n) AS columns
       FROM pg_index i CROSS JOIN unnest(i.indkey::int[]) WITH ORDINALITY AS k(attnum, n)
       JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
      WHERE i.indrelid = $1::regclass AND i.indisprimary`,
    [ident(partition)],
  );
  // Line breaks stand between the tokens of a JSON column at most: within its texts they are escaped.
  await session.query(
    `DECLARE exported NO SCROLL CURSOR FOR SELECT translate(row_to_json(t)::text, E'\\n\\r', '  ') AS line FROM ${ident(partition)} t
      ORDER BY ${key?.columns ?? '1'}`,
  );
  for (;;) {
    const batch = await session.query<{ line: string }>(`FETCH ${FETCH} FROM exported`);
    if (batch.length === 0) return;
    yield batch.map(({ line }) => line);
  }
}

async function intoFile(path: string, write: (file: Writable) => Promise<void>): Promise<void> {
  const part = `${path}.part`;
  try {
    await write(createWriteStream(part, { mode: 0o600, flush: true }));
    await rename(part, path);
    // So that the name, too, outlives a loss of power: whoever drops the month relies on it.
    const folder = await open(dirname(path));
    await folder.sync().finally(() => folder.close());
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}
