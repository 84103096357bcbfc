import type { Measure } from '../measure.js';
import { figure } from './markdown.js';

const WIDTH = 800;
const LABELS = 270;
const FIGURES = 130;
const BAR = 16;
const ROW = 24;
const TITLE = 30;
const GAP = 14;

// Grey tells on white and on black; a viewer that knows its scheme gets the better contrast.
const STYLE = `text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-weight:600}.ours{fill:#2f6feb}.peer{fill:#8b949e}
.whisker{stroke:#24292f;stroke-width:1.5}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.whisker{stroke:#e6edf3}}`;

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const at = (value: number): string => (Number.isFinite(value) ? value.toFixed(1) : '0');

interface Drawn {
  readonly svg: string;
  readonly height: number;
}

/** The bars of one measure, on a scale of its own: medians, and whiskers from the lowest to the highest round. */
function measureBars(name: string, measure: Measure, top: number): Drawn {
  const bars = [['ours', measure.ours] as const, ...Object.entries(measure.peers)];
  const highest = Math.max(...bars.map(([one, value]) => Math.max(value, measure.spread?.[one]?.[1] ?? 0)));
  const x = (value: number): number =>
    LABELS + (highest > 0 ? Math.max(0, value) / highest : 0) * (WIDTH - LABELS - FIGURES);
  const rows = bars.map(([one, value], i) => {
    const y = top + TITLE + i * ROW;
    const middle = y + BAR / 2;
    const [low, high] = measure.spread?.[one] ?? [value, value];
    return [
      `<text x="${LABELS - 8}" y="${middle + 4}" text-anchor="end">${escaped(one)}</text>`,
      `<rect class="${i === 0 ? 'ours' : 'peer'}" x="${LABELS}" y="${y}" width="${at(x(value) - LABELS)}" height="${BAR}" rx="2"/>`,
      low < high
        ? `<path class="whisker" d="M${at(x(low))} ${middle}H${at(x(high))}M${at(x(low))} ${middle - 4}v8M${at(x(high))} ${middle - 4}v8"/>`
        : '',
      `<text x="${at(x(Math.max(value, high)) + 8)}" y="${middle + 4}">${escaped(figure(value))}</text>`,
    ].join('');
  });
  const title = `<text class="title" x="8" y="${top + 16}">${escaped(`${name}, ${measure.unit}`)}</text>`;
  return { svg: [title, ...rows].join('\n'), height: TITLE + bars.length * ROW + GAP };
}

/** A part's measures as horizontal bars: an SVG of its own, legible on light and on dark. */
export function plot(part: string, measures: Readonly<Record<string, Measure>>): string {
  let height = GAP;
  const groups = Object.entries(measures).map(([name, measure]) => {
    const drawn = measureBars(name, measure, height);
    height += drawn.height;
    return drawn.svg;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">
<title>${escaped(part)}</title>
<style>${STYLE}</style>
${groups.join('\n')}
</svg>
`;
}
