import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { EXIT } from '../../src/platform/cli/exit-codes.js';
import { EVENT_TYPES } from '../../src/modules/outbox/contract/event-types.js';
import { statusOf } from '../../src/platform/http/error-status.js';
import { DomainError, notFound, type ErrorCategory } from '../../src/platform/kernel/errors.js';
import { metrics } from '../../src/platform/observability/metrics.js';
import { plain, tablesOf, textOf } from './golden-file.js';

const ROOT = join(import.meta.dirname, '../..');

/** Sources that run in production, by path from the root. */
const sources = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.spec.ts'))
    .map((path) => join(folder, path));

const matches = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map((match) => match[1]!);

const sorted = (items: Iterable<string>): string[] => [...new Set(items)].sort();

describe('docs/metrics.md', () => {
  test('names every metric with its type, labels and meaning, in order, and no other', () => {
    const defined = Object.values(metrics).map((metric) => {
      const { name, help, labelNames } = metric as unknown as {
        name: string;
        help: string;
        labelNames: string[];
      };
      return [name, metric.constructor.name.toLowerCase(), labelNames.join(', '), help];
    });
    const written = tablesOf('docs/metrics.md', '# Metrics').filter((row) => row.length === 4);
    expect(written.map((row) => row.map(plain))).toEqual(defined);
  });
});

describe('docs/cli.md', () => {
  test('gives every exit code its name, and no other', () => {
    const written = tablesOf('docs/cli.md', '## Exit codes').map(([code, name]) => [
      plain(name),
      Number(code),
    ]);
    expect(Object.fromEntries(written)).toEqual(EXIT);
  });
});

describe('docs/errors.md', () => {
  test('names every code that the commands on dead letters refuse with, and no other', () => {
    const written = tablesOf('docs/errors.md', '## At the command line').map(([code]) => plain(code));
    const thrown = sources('src/modules/consumer').flatMap((path) =>
      matches(textOf(path), /\bconflict\(\s*'([A-Z][A-Z_]+)'/g),
    );
    expect(sorted(written)).toEqual(sorted(thrown));
  });

  const rows = tablesOf('docs/errors.md', '## Codes').map((row) => row.map(plain));

  test('names every code that the source refuses with, and no other', () => {
    const thrown = sources('src').flatMap((path) => {
      const text = textOf(path);
      const missing = matches(text, /\bnotFound\('([a-z ]+)'\)/g).map((what) => notFound(what).code);
      // Why events are held up or dead-lettered is a list of its own.
      if (/^src\/modules\/(outbox|consumer|lifecycle)\/(?!contract\/)/.test(path)) return missing;
      return [
        ...missing,
        ...matches(
          text,
          /\b(?:DomainError|conflict|invalid|refusal|unauthorised|fault)\(\s*'([A-Z][A-Z_]+)'/g,
        ),
        ...matches(text, /\bcode: '([A-Z]+_[A-Z_]+)'/g),
        ...matches(text, /\?\? '([A-Z]+_[A-Z_]+)'/g),
      ];
    });
    expect(sorted(rows.map(([code]) => code!))).toEqual(sorted(thrown));
  });

  test('names each code once, with the status that it is answered with', () => {
    expect(rows.map(([code]) => code)).toEqual([...new Set(rows.map(([code]) => code))]);
    const statuses = rows.map(([code, category]) => [
      code,
      statusOf(new DomainError(code!, category as ErrorCategory, '')),
    ]);
    expect(statuses).toEqual(rows.map(([code, , status]) => [code, Number(status)]));
  });

  test('names every reason for a dead letter', () => {
    const written = tablesOf('docs/errors.md', '## Dead letters').map(([code]) => plain(code));
    const texts = sources('src/modules').map(textOf);
    const union = texts.flatMap((text) => matches(text, /type FailureCode =([^;]+);/g)).join();
    const failures = matches(union, /'([A-Z_]+)'/g);
    const held = texts.flatMap((text) => matches(text, /'((?:RECORD_REFUSED|KEY_BLOCKED))'/g));
    expect(failures.length).toBeGreaterThan(0);
    expect(sorted(written)).toEqual(sorted([...failures, 'SQLSTATE_<code>', ...held]));
  });
});

describe('docs/events.md', () => {
  test('names every type in the registry of events, and no other', () => {
    const written = tablesOf('docs/events.md', '## Types').map(([type]) => plain(type));
    expect(sorted(written)).toEqual(sorted(EVENT_TYPES.keys()));
  });

  test('names every header of a record, and no other', () => {
    const { components } = JSON.parse(textOf('docs/asyncapi/tartware.json')) as {
      components: { schemas: { headers: { required: string[] } } };
    };
    const written = tablesOf('docs/events.md', '## Headers').map(([name]) => plain(name));
    expect(sorted(written)).toEqual(sorted(components.schemas.headers.required));
  });
});

describe('docs/dependencies.md', () => {
  const packageJson = JSON.parse(textOf('package.json')) as Record<string, Record<string, unknown>>;

  test.each([
    ['## At run time', 'dependencies'],
    ['## For development', 'devDependencies'],
    ['## Overrides', 'overrides'],
  ])('lists under "%s" the %s of package.json, and no other', (heading, key) => {
    const written = tablesOf('docs/dependencies.md', heading).map(([name]) => plain(name));
    expect(sorted(written)).toEqual(sorted(Object.keys(packageJson[key] ?? {})));
  });
});

describe('Markdown', () => {
  test('no link of ours leads nowhere', () => {
    const files = [
      'README.md',
      'CHANGELOG.md',
      ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).map((path) =>
        join('docs', path),
      ),
      ...readdirSync(join(ROOT, 'src/modules'), { recursive: true, encoding: 'utf8' }).map((path) =>
        join('src/modules', path),
      ),
    ].filter((path) => path.endsWith('.md'));
    const broken = files.flatMap((file) =>
      matches(textOf(file), /\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)/g)
        .filter((link) => !exists(join(file, '..', link)))
        .map((link) => `${file}: ${link}`),
    );
    expect(broken).toEqual([]);
  });
});

function exists(path: string): boolean {
  try {
    textOf(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EISDIR';
  }
}
