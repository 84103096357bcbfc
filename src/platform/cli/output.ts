/** Standard output is the command's result and nothing else; what a person may like to know goes to standard error. */
export const out = (text: string): void => void process.stdout.write(`${text}\n`);

/** A line for a person. */
export const note = (text: string): void => void process.stderr.write(`${text}\n`);

/** The result: one JSON object as the last line with `--json`, else the text. */
export function result(json: boolean | undefined, data: object, text: string): void {
  out(json ? JSON.stringify(data) : text);
}

/** Rows as columns under their names. */
export function table(rows: readonly Readonly<Record<string, string | number>>[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const width = (column: string): number =>
    Math.max(column.length, ...rows.map((row) => String(row[column] ?? '').length));
  const line = (cell: (column: string) => string): string =>
    columns
      .map((column) => cell(column).padEnd(width(column)))
      .join('  ')
      .trimEnd();
  return [line((column) => column), ...rows.map((row) => line((column) => String(row[column] ?? '')))].join(
    '\n',
  );
}
