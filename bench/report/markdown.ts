import type { Measure } from '../measure.js';
import { barsOf } from './bars.js';
import type { PartResult, Results } from './results.js';

/** A figure as people read it: three digits and thousands apart, `12,345`, `1.23`. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en-GB', { maximumFractionDigits: digits });
}

const withSpread = ({ spread }: Measure, name: string, value: number): string => {
  const range = spread?.[name];
  return range ? `${figure(value)} (${figure(range[0])} to ${figure(range[1])})` : figure(value);
};

function rowOf(part: string, name: string, measure: Measure, all: PartResult['measures']): string {
  const peers = Object.entries(measure.peers);
  const bars = barsOf(part, name);
  const words = { true: 'yes', false: '**no**', null: 'not measured' };
  const cells = [
    `${name}, ${measure.unit}`,
    withSpread(measure, 'ours', measure.ours),
    peers.map(([peer, value]) => `${peer} ${withSpread(measure, peer, value)}`).join('<br>'),
    peers.map(([peer]) => `${figure(measure.ratio[peer]!)} × ${peer}`).join('<br>'),
    bars.map((bar) => bar.text).join('<br>'),
    bars.map((bar) => words[`${bar.met(measure, all)}`]).join('<br>'),
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function partOf(part: string, { stamp, measures }: PartResult): string {
  const { date, commit, dirty, quick } = stamp;
  const from = `${date}, commit ${commit}${dirty ? ' with changes' : ''}${quick ? ', a quick run (two rounds)' : ''}`;
  return [
    `## ${part}`,
    `${from}.`,
    '',
    '| measure | ours | peers | ours / theirs | bar | met |',
    '|---|---|---|---|---|---|',
    ...Object.entries(measures).map(([name, measure]) => rowOf(part, name, measure, measures)),
    '',
    `![${part}](plots/${part}.svg)`,
    '',
  ].join('\n');
}

/** What parts were measured on, said once for all that agree. */
function machinesOf(results: Results): string {
  const parts = new Map<string, string[]>();
  for (const [part, { stamp }] of Object.entries(results)) {
    const versions = Object.entries(stamp.versions).map(([name, version]) => `${name} ${version}`);
    const text = `${stamp.machine}. ${versions.join(', ')}.`;
    parts.set(text, [...(parts.get(text) ?? []), part]);
  }
  return [...parts].map(([text, names]) => `- ${names.join(', ')}: ${text}`).join('\n');
}

/** `bench/RESULTS.md`. */
export const markdown = (results: Results): string =>
  `# Results
Written by \`npm run bench -- --write\`; how, beside whom, and what each peer does not do: [README](README.md). Medians of
rounds that were run in turn, with the lowest and the highest; ours and the peers share the machine with the load. Ratios hold
elsewhere, absolute figures don't.

${machinesOf(results)}

${Object.entries(results)
  .map(([part, result]) => partOf(part, result))
  .join('\n')}`;
