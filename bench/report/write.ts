import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { markdown } from './markdown.js';
import { plot } from './plot.js';
import { merged, type Results, type Stamp } from './results.js';

const FOLDER = resolve(import.meta.dirname, '..');

/** Writes results.json, RESULTS.md and plots/ of everything that was ever measured, with this run's parts anew. */
export async function writeReport(run: Parameters<typeof merged>[1], stamp: Stamp): Promise<void> {
  const file = join(FOLDER, 'results.json');
  const kept = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '{}';
    throw error;
  });
  const results = merged(JSON.parse(kept) as Results, run, stamp);
  await writeFile(file, `${JSON.stringify(results, null, 2)}\n`);
  await writeFile(join(FOLDER, 'RESULTS.md'), markdown(results));
  await mkdir(join(FOLDER, 'plots'), { recursive: true });
  for (const [part, { measures }] of Object.entries(results))
    await writeFile(join(FOLDER, 'plots', `${part}.svg`), plot(part, measures));
}
