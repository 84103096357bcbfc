// npm run faults -- --dose small|ci|long: real processes, killed, frozen, cut off; see docs/faults.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '../support/service.js';
import { DOSES, shareOf, type Dose } from './doses.js';
import { runRound } from './drill.js';
import { isClean, reportOf, tableOf, type Report } from './report.js';
import { bittenIn, nextRound, readState, type State, writeState } from './resume.js';

const HELP = `npm run faults -- [options]

Kills, freezes and cuts off real processes under load, and counts what was lost (docs/faults.md).

  --dose <name>     small: seconds, no Java; ci: a quarter of an hour, Kafka; long: 5,000 faults (default: small)
  --seed <n>        of all chance; by default a new one, which is printed
  --seconds <n>     inject nothing more after so many seconds of faults
  --kafka           the small dose with a broker, too
  --only <names>    these faults alone, comma-separated: kill-relay,stop
  --resume          go on with the last run of this dose after its last finished round
  --write <file>    put the table into this file, between its marks
  --json            print one JSON object as the last line
  --help            this

Exit code 0: nothing lost, applied twice, inverted, orphaned or beyond replay; 1: something was; 2: wrong options.
`;

const begun = performance.now();
const note = (line: string): void =>
  void process.stderr.write(`${((performance.now() - begun) / 1_000).toFixed(0).padStart(5)} s  ${line}\n`);

class UsageError extends Error {}

function options() {
  const { values } = parseArgs({
    options: {
      dose: { type: 'string', default: 'small' },
      seed: { type: 'string' },
      seconds: { type: 'string' },
      kafka: { type: 'boolean', default: false },
      only: { type: 'string' },
      resume: { type: 'boolean', default: false },
      write: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const whole = (name: string, text: string | undefined): number | undefined => {
    if (text === undefined) return undefined;
    if (!/^\d{1,9}$/.test(text))
      throw new UsageError(`--${name} takes a whole number, not ${JSON.stringify(text)}`);
    return Number(text);
  };
  if (!Object.hasOwn(DOSES, values.dose))
    throw new UsageError(`--dose is ${Object.keys(DOSES).join(', ')}, not ${JSON.stringify(values.dose)}`);
  const dose = DOSES[values.dose as Dose['name']];
  const kafka = dose.kafka || values.kafka;
  return {
    ...values,
    dose: { ...dose, kafka, wanted: wantedOf(dose, values.only) },
    seed: whole('seed', values.seed),
    seconds: whole('seconds', values.seconds),
  };
}

function wantedOf({ name: dose, wanted }: Dose, only: string | undefined): Dose['wanted'] {
  if (only === undefined) return wanted;
  const names = only.split(',');
  const unknown = names.find((name) => !Object.hasOwn(wanted, name));
  if (unknown !== undefined)
    throw new UsageError(
      `--only: dose ${dose} has ${Object.keys(wanted).join(', ')}, not ${JSON.stringify(unknown)}`,
    );
  return Object.fromEntries(Object.entries(wanted).filter(([name]) => names.includes(name)));
}

const stateFile = (dose: Dose): string => resolve(ROOT, '.tartware', `faults-${dose.name}.json`);

/** @throws UsageError when there is nothing to go on with, or it is another run's */
function stateOf(dose: Dose, seed: number | undefined, resume: boolean): State {
  if (!resume) return { seed: seed ?? Math.floor(Math.random() * 1_000_000_000), rounds: [] };
  const state = readState(stateFile(dose));
  if (!state) throw new UsageError(`--resume: no run of dose ${dose.name} was interrupted here`);
  if (seed !== undefined && seed !== state.seed)
    throw new UsageError(`--resume: the interrupted run has seed ${state.seed}, not ${seed}`);
  note(`going on with seed ${state.seed} after ${state.rounds.length} rounds`);
  return state;
}

async function run(dose: Dose, begun: State, seconds: number): Promise<Report> {
  const { seed } = begun;
  const rounds = [...begun.rounds];
  let spent = 0;
  for (;;) {
    if (dose.rounds > 1) writeState(stateFile(dose), { seed, rounds });
    const next = nextRound(dose, { seed, rounds });
    const limitMs = (seconds - spent) * 1_000;
    if (!next || limitMs <= 0) {
      const whole = shareOf(dose, (name) => bittenIn(rounds, name), 1).size === 0;
      return reportOf(dose.name, seed, rounds, whole);
    }
    const { number, ...draw } = next;
    const report = (line: string): void => note(dose.rounds > 1 ? `round ${number + 1}: ${line}` : line);
    const round = await runRound({ dose, ...draw, limitMs, report });
    rounds.push(round);
    spent += round.faultSeconds;
  }
}

const BEGIN = '<!-- last run -->';
const END = '<!-- end of last run -->';

function write(file: string, report: Report): void {
  const text = readFileSync(file, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new UsageError(`${file} lacks the marks ${BEGIN} and ${END}`);
  const day = new Date().toISOString().slice(0, 10);
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
  const head = `Dose \`${report.dose}\`, ${day}, seed ${report.seed}, ${report.seconds} s, on ${machine}, Node ${process.version}.`;
  const short = report.whole ? '' : ' Cut short: not every fault bit as often as the dose wants.';
  const slow = report.slow.length > 0 ? ` Beyond two leases: ${report.slow.join(', ')}.` : '';
  const table = `${BEGIN}\n${head}${short}${slow}\n\n${tableOf(report)}\n`;
  writeFileSync(file, text.slice(0, begin) + table + text.slice(end));
}

async function main(): Promise<void> {
  const { dose, seed, seconds, resume, write: file, json, help } = options();
  if (help) return void process.stdout.write(HELP);
  const report = await run(dose, stateOf(dose, seed, resume), seconds ?? Infinity);
  if (file !== undefined) write(file, report);
  for (const line of report.notes) note(`note: ${line}`);
  if (!report.whole) note('cut short: not every fault bit as often as the dose wants');
  for (const name of report.slow)
    note(`slow: ${name} took ${report.byFault[name]!.recoveryMaxMs} ms to recover`);
  process.stdout.write(`${json ? JSON.stringify(report) : tableOf(report)}\n`);
  process.exitCode = isClean(report) ? 0 : 1;
}

try {
  await main();
} catch (error) {
  const usage =
    error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  note(usage ? (error as Error).message : String(error instanceof Error ? error.stack : error));
  process.exitCode = usage ? 2 : 1;
}
