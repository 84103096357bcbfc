import { parseArgs } from 'node:util';
import { Bed } from './bed.js';
import type { Measure, Part } from './measure.js';
import { apply } from './parts/apply.js';
import { claim } from './parts/claim.js';
import { drain } from './parts/drain.js';
import { flood } from './parts/flood.js';
import { latency } from './parts/latency.js';
import { read } from './parts/read.js';
import { replay } from './parts/replay.js';
import { scale } from './parts/scale.js';
import { start } from './parts/start.js';
import { walls } from './parts/walls.js';
import { write } from './parts/write.js';
import { printed } from './report/results.js';
import { stampOf } from './report/stamp.js';
import { table } from './report/table.js';
import { writeReport } from './report/write.js';

const PARTS: Readonly<Record<string, Part>> = {
  ...{ apply, claim, drain, flood, latency, read, replay, scale, start, walls, write },
};

const QUICK = ['write', 'drain', 'latency', 'read'];

const HELP = `Usage: npm run bench -- [parts] [--quick | --huge] [--json] [--write]

Measures on this machine, alone: ${Object.keys(PARTS).join(', ')} (all of them, unless some are named).

  --quick  two rounds and smaller tables; unless parts are named, of ${QUICK.join(', ')}
  --huge   claim and scale with tables of ten millions as well
  --json   one JSON object as the last line: {part: {measure: {ours, peers, ratio, unit}}}
  --write  the parts that ran anew in bench/RESULTS.md, bench/results.json and bench/plots
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    huge: { type: 'boolean', default: false },
    json: { type: 'boolean' },
    write: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
});
const unknown = positionals.filter((name) => !Object.hasOwn(PARTS, name));
if (values.help || unknown.length > 0) {
  process.stdout.write(HELP);
  if (unknown.length > 0) process.stderr.write(`no such part: ${unknown.join(', ')}\n`);
  process.exit(unknown.length > 0 ? 2 : 0);
}

const { quick, huge } = values;
const parts = positionals.length > 0 ? positionals : quick ? QUICK : Object.keys(PARTS);
const results: Record<string, Record<string, Measure>> = {};
const bed = await Bed.open();
try {
  const stamp = await stampOf(bed, quick);
  for (const name of parts) {
    const say = (line: string): void => void process.stderr.write(`${name}: ${line}\n`);
    const measures = await PARTS[name]!(bed, { quick, huge, say });
    await bed.tidy();
    if (Object.keys(measures).length === 0) continue;
    results[name] = measures;
    if (values.write) await writeReport({ [name]: measures }, stamp);
  }
} finally {
  await bed.close();
}
process.stdout.write(values.json ? `${JSON.stringify(printed(results))}\n` : table(results));
