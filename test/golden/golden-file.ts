import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** The text of a file of the checkout, by its path from the root. */
export const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/**
 * What is kept at `path`; with UPDATE_GOLDEN=1 `actual` is written there first. In CI nothing is ever written: a golden file
 * that mends itself proves nothing.
 */
export function golden(path: string, actual: string): string {
  if (process.env['UPDATE_GOLDEN'] === '1') {
    if (process.env['CI'] === 'true') throw new Error('UPDATE_GOLDEN is not to be used with CI=true');
    writeFileSync(join(ROOT, path), actual);
  }
  return textOf(path);
}

/** The body rows of every table below a heading of a Markdown file, cell by cell; without a heading, of the whole file. */
export function tablesOf(path: string, heading?: string): string[][] {
  let lines = textOf(path).split('\n');
  if (heading !== undefined) {
    const from = lines.indexOf(heading);
    if (from < 0) throw new Error(`${path} has no heading ${JSON.stringify(heading)}`);
    const level = /^#+/.exec(heading)![0].length;
    const rest = lines.slice(from + 1);
    const to = rest.findIndex((line) => /^#+ /.test(line) && /^#+/.exec(line)![0].length <= level);
    lines = to < 0 ? rest : rest.slice(0, to);
  }
  const rows = lines.map((line, i) => ({ line, rule: /^\|[-|\s]+\|$/.test(line), next: lines[i + 1] ?? '' }));
  return rows
    .filter(({ line, rule, next }) => line.startsWith('|') && !rule && !/^\|[-|\s]+\|$/.test(next))
    .map(({ line }) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim().replaceAll('\\|', '|')),
    );
}

/** A cell without the marks of code. */
export const plain = (cell: string | undefined): string => (cell ?? '').replaceAll('`', '');
