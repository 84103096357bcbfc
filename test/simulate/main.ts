import { parseArgs } from 'node:util';
import { BUGS, firstToCatch } from './bugs.js';
import type { PlantedBug } from './planted-bug.js';
import { type Outcome, simulate } from './simulate.js';

const TRACE_TAIL = 60;

const USAGE = `npm run simulate -- [--seeds N] [--seed N [--trace]] [--bug NAME] [--list] [--json]

  --seeds N   run the seeds 1 to N (10000), then every planted bug until a seed catches it
  --seed N    run this one alone
  --trace     with --seed: print everything that happened
  --bug NAME  run with this bug planted; with --seed too, show what that seed does with it
  --list      print the planted bugs
  --json      print the result as one JSON object, as the last line`;

function bugNamed(name: string): PlantedBug {
  const bug = BUGS.find((one) => one.name === name);
  if (!bug) throw new Error(`no bug is called ${name}; --list shows them`);
  return bug;
}

function count(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`${text} is no number of seeds`);
  return Number(text);
}

const replayOf = ({ seed }: Outcome, bug?: PlantedBug): string =>
  `npm run simulate -- --seed ${seed}${bug ? ` --bug ${bug.name}` : ''} --trace`;

async function one(seed: number, bug: PlantedBug | undefined, whole: boolean): Promise<boolean> {
  const outcome = await simulate(seed, { ...bug?.options, trace: true });
  const lines = whole ? outcome.trace : outcome.breach ? outcome.trace.slice(-TRACE_TAIL) : [];
  if (lines.length > 0) console.log(lines.join('\n'));
  const { breach, text, events, steps, quietAt } = outcome;
  console.log(`seed ${seed}: ${events} events, ${steps} steps, ${Math.round(quietAt)} simulated ms`);
  console.log(breach ? `${breach}: ${text}` : 'every promise held');
  return breach === null;
}

async function seedsOf(n: number): Promise<number> {
  let failures = 0;
  let events = 0;
  const all = new Map<string, number>();
  for (let seed = 1; seed <= n; seed++) {
    const { breach, bites, ...rest } = await simulate(seed);
    events += rest.events;
    for (const [what, times] of bites) all.set(what, (all.get(what) ?? 0) + times);
    if (!breach) continue;
    failures += 1;
    if (failures > 3) continue;
    await one(seed, undefined, false);
    console.log(`replay: npm run simulate -- --seed ${seed} --trace\n`);
  }
  const struck = [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([what, times]) => `${what} ${times}`);
  console.log(`${n} seeds, ${failures} failed; ${events} events; ${struck.join(', ')}`);
  return failures;
}

async function plantedOnes(bugs: readonly PlantedBug[]): Promise<number> {
  let caught = 0;
  for (const bug of bugs) {
    const outcome = await firstToCatch(bug);
    const rightly = outcome?.breach && bug.breaks.includes(outcome.breach);
    if (rightly) caught += 1;
    const told = outcome
      ? `${outcome.breach}${rightly ? '' : ', which it should not break,'} in seed ${outcome.seed}: ${replayOf(outcome, bug)}`
      : 'NOT CAUGHT';
    console.log(`${bug.name.padEnd(28)} ${told}`);
  }
  console.log(`${bugs.length} planted bugs, ${caught} caught`);
  return caught;
}

/** Answers whether everything was as it has to be. */
async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      seed: { type: 'string' },
      bug: { type: 'string' },
      trace: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return (console.log(USAGE), true);
  if (values.list) {
    for (const { name, what, breaks } of BUGS)
      console.log(`${name.padEnd(28)} ${breaks.join(', ').padEnd(18)} ${what}`);
    return true;
  }
  const bug = values.bug === undefined ? undefined : bugNamed(values.bug);
  if (values.seed !== undefined) return one(count(values.seed), bug, values.trace);
  const begun = performance.now();
  const bugs = bug ? [bug] : BUGS;
  const seeds = bug ? 0 : count(values.seeds ?? '10000');
  const failures = bug ? 0 : await seedsOf(seeds);
  const caught = await plantedOnes(bugs);
  const seconds = Math.round((performance.now() - begun) / 100) / 10;
  if (values.json) console.log(JSON.stringify({ seeds, failures, planted: bugs.length, caught, seconds }));
  return failures === 0 && caught === bugs.length;
}

// Thousands of errors are thrown on purpose; nobody reads where from.
Error.stackTraceLimit = process.argv.includes('--seed') ? 20 : 0;
try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
