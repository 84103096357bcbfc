import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { incompatibilities } from './entrypoints/asyncapi/compatibility.js';
import { asyncApiDocument, contracts } from './entrypoints/asyncapi/document.js';
import { CliError, endOf, EXIT } from './platform/cli/exit-codes.js';
import { note } from './platform/cli/output.js';
import type { JsonSchema } from './platform/kernel/json-schema.js';

const jsonOf = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;

async function released(file: string): Promise<JsonSchema | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as JsonSchema;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/**
 * Writes the AsyncAPI document and the schema of each version of each type of events. What was released is never overwritten
 * by what its readers wouldn't understand.
 * @throws CliError (3) a version that changed by more than new members that may be missing; nothing is written
 */
async function exportEvents(folder: string): Promise<void> {
  const faults: string[] = [];
  const schemas = contracts().map(({ name, schema }) => ({
    name,
    file: join(folder, 'schemas', `${name}.json`),
    schema,
  }));
  for (const { name, file, schema } of schemas) {
    const before = await released(file);
    if (before) faults.push(...incompatibilities(before, schema).map((fault) => `${name}: ${fault}`));
  }
  if (faults.length > 0)
    throw new CliError(`${faults.join('\n')}\nThis needs the next version of the type.`, EXIT.refused);
  await mkdir(join(folder, 'schemas'), { recursive: true });
  for (const { file, schema } of schemas) await writeFile(file, jsonOf(schema));
  await writeFile(join(folder, 'tartware.json'), jsonOf(asyncApiDocument()));
}

try {
  await exportEvents(resolve(process.argv[2] ?? 'docs/asyncapi'));
} catch (error) {
  const { code, message } = endOf(error);
  note(message);
  process.exitCode = code;
}
