import { parseArgs } from 'node:util';
import { Bed } from './bed.js';
import type { Measure, Part } from './measure.js';
import { apply } from './parts/apply.js';
import { claim } from './parts/claim.js';
import { drain } from './parts/drain.js';
import { flood } from './parts/flood.js';
import { latency } from './parts/latency.js';
import { read } from './parts/read.js';
import { write } from './parts/write.js';

const PARTS: Readonly<Record<string, Part>> = { apply, claim, drain, flood, latency, read, write };

const HELP = `Usage: npm run bench -- [parts] [--quick] [--json]

Measures on this machine, alone: ${Object.keys(PARTS).join(', ')} (all of them, unless some are named).

  --quick  fewer rounds and smaller tables
  --json   one JSON object as the last line: {part: {measure: {ours, peers, ratio, unit}}}
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
});
const unknown = positionals.filter((name) => !Object.hasOwn(PARTS, name));
if (values.help || unknown.length > 0) {
  process.stdout.write(HELP);
  if (unknown.length > 0) process.stderr.write(`no such part: ${unknown.join(', ')}\n`);
  process.exit(unknown.length > 0 ? 2 : 0);
}

const results: Record<string, Record<string, Measure>> = {};
const bed = await Bed.open();
try {
  for (const name of positionals.length > 0 ? positionals : Object.keys(PARTS)) {
    const say = (line: string): void => void process.stderr.write(`${name}: ${line}\n`);
    results[name] = await PARTS[name]!(bed, { quick: values.quick === true, say });
  }
} finally {
  await bed.close();
}
if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`);
else
  for (const [part, measures] of Object.entries(results))
    for (const [name, { ours, unit }] of Object.entries(measures))
      process.stdout.write(`${part.padEnd(10)} ${name.padEnd(55)} ${ours} ${unit}\n`);
