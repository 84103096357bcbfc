import { describe, expect, it } from '@jest/globals';
import type { Measure } from '../measure.js';
import { barsOf } from './bars.js';
import { figure, markdown } from './markdown.js';
import { plot } from './plot.js';
import { merged, printed, type Stamp } from './results.js';

const stamp: Stamp = {
  date: '2026-03-01T10:00Z',
  commit: 'abc',
  dirty: false,
  quick: false,
  machine: 'A processor, 2 cores, 8 GB',
  versions: { Node: '24.0.0' },
};

const measure = (ours: number, peers: Record<string, number> = {}): Measure => ({
  ours,
  peers,
  ratio: Object.fromEntries(Object.entries(peers).map(([name, value]) => [name, ours / value])),
  unit: '/s',
  spread: { ours: [ours - 1, ours + 1] },
});

/** Throws unless `text` is well-formed XML of the plain kind: tags that close in order, quoted attributes, no bare & or <. */
function parseXml(text: string): string[] {
  const open: string[] = [];
  const names: string[] = [];
  const token =
    /<\/(?<end>[a-z]+)>|<(?<name>[a-z]+)(?:\s+[\w:-]+="(?:[^"<&]|&\w+;)*")*\s*(?<empty>\/?)>|(?<text>(?:[^<&]|&(?:amp|lt|gt|quot);)+)/y;
  while (token.lastIndex < text.length) {
    const at = token.lastIndex;
    const found = token.exec(text)?.groups;
    if (!found) throw new Error(`no XML from here: ${text.slice(at, at + 40)}`);
    if (found['end'] !== undefined && open.pop() !== found['end'])
      throw new Error(`</${found['end']}> is not open`);
    if (found['name'] === undefined) continue;
    names.push(found['name']);
    if (found['empty'] === '') open.push(found['name']);
  }
  if (open.length > 0) throw new Error(`open at the end: ${open.join()}`);
  return names;
}

describe('results', () => {
  it('of a run of some parts leave the other ones as they were', () => {
    const kept = merged({}, { write: { a: measure(1) }, drain: { b: measure(2) } }, stamp);
    const later = { ...stamp, commit: 'def' };
    expect(merged(kept, { write: { c: measure(3) } }, later)).toEqual({
      write: { stamp: later, measures: { c: measure(3) } },
      drain: { stamp, measures: { b: measure(2) } },
    });
  });

  it('are printed as ours, peers, ratio and unit, and nothing else', () => {
    expect(printed({ write: { bookings: measure(10, { naive: 2 }) } })).toEqual({
      write: { bookings: { ours: 10, peers: { naive: 2 }, ratio: { naive: 5 }, unit: '/s' } },
    });
  });
});

describe('a bar', () => {
  const verdicts = (part: string, name: string, all: Record<string, Measure>): unknown[] =>
    barsOf(part, name).map((bar) => bar.met(all[name]!, all));

  it('is met at its bound and missed below it', () => {
    const of = (ours: number) =>
      verdicts('write', 'bookings', { bookings: measure(ours, { naive: 100, pgbench: 500 }) });
    expect(of(500)).toEqual([true, true]);
    expect(of(499)).toEqual([false, false]);
  });

  it('says nothing of a peer that was not there', () =>
    expect(verdicts('write', 'bookings', { bookings: measure(9, { naive: 1 }) })).toEqual([true, null]));

  it('may compare with another measure', () => {
    const all = (p99: number) => ({ p50: measure(5, { naive: 50 }), p99: measure(p99, { naive: 90 }) });
    expect(verdicts('write', 'p99', all(49))).toEqual([true]);
    expect(verdicts('write', 'p99', all(50))).toEqual([false]);
  });

  it('of several peers is held against the best', () => {
    const all = (ours: number) => ({ 'events/s to nowhere': measure(ours, { slow: 10, fast: 100 }) });
    expect(verdicts('drain', 'events/s to nowhere', all(99))).toEqual([false]);
    expect(verdicts('drain', 'events/s to nowhere', all(100))).toEqual([true]);
  });

  it('of scale is about growth, and held against the best of the smaller tables', () => {
    const all = (p99: number) => ({ 'booking: p99': measure(p99, { '100,000': 10, '1,000,000': 11 }) });
    expect(verdicts('scale', 'booking: p99', all(12))).toEqual([true]);
    expect(verdicts('scale', 'booking: p99', all(12.1))).toEqual([false]);
  });

  it('of a read is about its p99 and about its rate, and each has its own', () => {
    const all = {
      'a: p99': measure(10, { 'from memory': 1 }),
      'a: requests/s': measure(49, { 'from memory': 100 }),
    };
    expect(verdicts('read', 'a: p99', all)).toEqual([true]);
    expect(verdicts('read', 'a: requests/s', all)).toEqual([false]);
  });

  it('of the claim holds what comes last against what came first', () => {
    const all = (last: number) => ({
      '100k pending p99': measure(2),
      '1M pending, vacuum held back p99': measure(last),
    });
    expect(verdicts('claim', '1M pending, vacuum held back p99', all(3))).toEqual([true, true]);
    expect(verdicts('claim', '1M pending, vacuum held back p99', all(3.1))).toEqual([true, false]);
  });
});

describe('the report', () => {
  const results = merged({}, { write: { bookings: measure(1_000, { naive: 250, pgbench: 500 }) } }, stamp);

  it('has a row a measure with figures, ratios, bars and verdicts', () =>
    expect(markdown(results)).toContain(
      '| bookings, /s | 1,000 (999 to 1,001) | naive 250<br>pgbench 500 | 4 × naive<br>2 × pgbench | ' +
        '≥ 5 × naive<br>≥ 1.0 × pgbench | **no**<br>yes |',
    ));

  it('says when, from which commit and on what', () => {
    const text = markdown(results);
    expect(text).toContain('2026-03-01T10:00Z, commit abc.');
    expect(text).toContain('write: A processor, 2 cores, 8 GB. Node 24.0.0.');
  });

  it('says when files differed from the commit, and when a run was quick', () =>
    expect(markdown(merged(results, { write: {} }, { ...stamp, dirty: true, quick: true }))).toContain(
      'commit abc with changes, a quick run',
    ));

  it('gives three digits', () =>
    expect([12_345.6, 123.4, 12.34, 1.234, NaN].map(figure)).toEqual(['12,346', '123', '12.3', '1.23', '–']));
});

describe('a plot', () => {
  const measures = {
    'p99 < "ours" & theirs': measure(10, { naive: 40, 'a > b': 20 }),
    nothing: measure(0),
    unknown: measure(NaN),
  };

  it('is well-formed XML, whatever the names and figures', () =>
    expect(parseXml(plot('write', measures))[0]).toBe('svg'));

  it('has a bar for everybody, the longest for the highest figure', () => {
    const svg = plot('write', { rate: measure(10, { naive: 40, other: 20 }) });
    const widths = [...svg.matchAll(/<rect class="(\w+)"[^>]* width="([\d.]+)"/g)].map(([, who, width]) => [
      who,
      Number(width),
    ]);
    expect(widths).toEqual([
      ['ours', 100],
      ['peer', 400],
      ['peer', 200],
    ]);
  });

  it('finds broken XML out', () => {
    for (const broken of ['<a><b></a></b>', '<a>&</a>', '<a b=c/>', '<a>', '<a>< /a>'])
      expect(() => parseXml(broken)).toThrow();
  });
});
