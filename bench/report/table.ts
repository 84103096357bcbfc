import type { Measure } from '../measure.js';
import { barsOf } from './bars.js';
import { figure } from './markdown.js';

/** A run for the terminal: a line a measure. */
export const table = (run: Readonly<Record<string, Readonly<Record<string, Measure>>>>): string =>
  Object.entries(run)
    .flatMap(([part, measures]) =>
      Object.entries(measures).map(([name, measure]) => {
        const peers = Object.entries(measure.peers).map(
          ([peer, value]) => `  ${peer} ${figure(value)} (${figure(measure.ratio[peer]!)} ×)`,
        );
        const bars = barsOf(part, name).map((bar) => {
          const met = bar.met(measure, measures);
          return `  [${bar.text}: ${met === null ? 'not measured' : met ? 'met' : 'not met'}]`;
        });
        const ours = `${figure(measure.ours)} ${measure.unit}`;
        return `${part.padEnd(8)} ${name.padEnd(44)} ${ours}${peers.join('')}${bars.join('')}\n`;
      }),
    )
    .join('');
