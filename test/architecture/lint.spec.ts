import { execFile } from 'node:child_process';
import { rmSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { plantTree, ROOT } from '../support/fixture-tree.js';

/** A planted file, the rule it breaks (null: it is allowed) and a word of the message that tells what to do instead. */
interface Planted {
  readonly file: string;
  readonly text: string;
  readonly breaks: string | null;
  readonly says?: string;
}

const lines = (count: number): string =>
  Array.from({ length: count }, (_, i) => `  seen.push(${i});`).join('\n');
const env = `export const mode = process.env['APP_MODE'];`;
const log = `export const say = (): void => console.log('x');`;
const transaction = `export const work = (db: { transaction(f: () => void): void }): void => db.transaction(() => undefined);`;

const PLANTED: readonly Planted[] = [
  {
    file: 'src/floating.ts',
    text: `Promise.resolve(1);\nexport {};`,
    breaks: '@typescript-eslint/no-floating-promises',
  },
  { file: 'src/any.ts', text: `export const x: any = 1;`, breaks: '@typescript-eslint/no-explicit-any' },
  {
    file: 'src/default.ts',
    text: `export default 1;`,
    breaks: 'no-restricted-syntax',
    says: 'No default exports',
  },
  {
    file: 'src/default-as.ts',
    text: `const x = 1;\nexport { x as default };`,
    breaks: 'no-restricted-syntax',
    says: 'No default exports',
  },
  { file: 'ormconfig.ts', text: `export default 1;`, breaks: null },
  { file: 'migrations/1-a.ts', text: `export default 1;`, breaks: null },
  { file: 'src/env.ts', text: env, breaks: 'no-restricted-syntax', says: 'src/platform/config' },
  {
    file: 'src/env-taken.ts',
    text: `const { env } = process;\nexport const mode = env['APP_MODE'];`,
    breaks: 'no-restricted-syntax',
    says: 'src/platform/config',
  },
  {
    file: 'src/env-imported.ts',
    text: `import { env } from 'node:process';\nexport const mode = env['APP_MODE'];`,
    breaks: 'no-restricted-imports',
    says: 'src/platform/config',
  },
  { file: 'src/platform/config/config.ts', text: env, breaks: null },
  { file: 'test/support/env.ts', text: env, breaks: null },
  { file: 'src/modules/log.ts', text: log, breaks: 'no-console' },
  { file: 'src/platform/cli/output.ts', text: log, breaks: null },
  { file: 'src/main.ts', text: log, breaks: null },
  { file: 'src/cli.ts', text: log, breaks: null },
  { file: 'src/transaction.ts', text: transaction, breaks: 'no-restricted-syntax', says: 'UnitOfWork.run' },
  { file: 'src/platform/database/unit-of-work.ts', text: transaction, breaks: null },
  {
    file: 'src/start-transaction.ts',
    text: `export const work = (runner: { startTransaction(): void }): void => runner.startTransaction();`,
    breaks: 'no-restricted-syntax',
    says: 'UnitOfWork.run',
  },
  {
    file: 'src/save.ts',
    text: `export const work = (repository: { save(row: object): void }): void => repository.save({});`,
    breaks: 'no-restricted-syntax',
    says: 'insert or update',
  },
  {
    file: 'src/long.ts',
    text: Array.from({ length: 301 }, (_, i) => `export const a${i} = ${i};`).join('\n'),
    breaks: 'max-lines',
  },
  {
    file: 'src/long-function.ts',
    text: `export function long(seen: number[]): void {\n${lines(60)}\n}`,
    breaks: 'max-lines-per-function',
  },
  {
    file: 'src/long.spec.ts',
    text: `export function long(seen: number[]): void {\n${lines(300)}\n}`,
    breaks: null,
  },
  {
    file: 'src/silent-exception.ts',
    text: `// eslint-disable-next-line no-console\nexport const say = (): void => console.log('x');`,
    breaks: 'tartware/disable-says-why',
  },
  {
    file: 'src/told-exception.ts',
    text: `// eslint-disable-next-line no-console -- the one line before there is a logger\n${log}`,
    breaks: null,
  },
  {
    file: 'src/useless-exception.ts',
    text: `// eslint-disable-next-line no-console -- it was needed once\nexport const x = 1;`,
    breaks: 'unused-directive',
  },
];

interface Report {
  readonly filePath: string;
  readonly messages: readonly { readonly ruleId: string | null; readonly message: string }[];
}

describe('the linter', () => {
  let root: string;
  let found: Map<string, Report['messages']>;

  beforeAll(async () => {
    const files = Object.fromEntries(PLANTED.map(({ file, text }) => [file, `${text}\n`]));
    root = plantTree(files, ['eslint.config.mjs', 'tsconfig.json'], {
      dependencies: [],
      devDependencies: [],
    });
    symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
    const reports = await lint(root);
    found = new Map(reports.map(({ filePath, messages }) => [relative(root, filePath), messages]));
  });

  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it.each(PLANTED.filter(({ breaks }) => breaks))(
    'reports $breaks in $file',
    ({ file, breaks, says = '' }) => {
      const told = found.get(file)?.map(({ ruleId, message }) => [ruleId ?? 'unused-directive', message]);
      expect(told).toEqual([[breaks, expect.stringContaining(says)]]);
    },
  );

  it.each(PLANTED.filter(({ breaks }) => !breaks))('lets $file pass', ({ file }) => {
    expect(found.get(file)).toEqual([]);
  });
});

function lint(cwd: string): Promise<Report[]> {
  const program = join(ROOT, 'node_modules', 'eslint', 'bin', 'eslint.js');
  return new Promise((resolve, reject) => {
    // The exit code says that there were findings, which is what is wanted here.
    execFile(
      process.execPath,
      [program, '--format', 'json', '.'],
      { cwd, maxBuffer: 50_000_000 },
      (_error, stdout, stderr) => {
        try {
          resolve(JSON.parse(stdout) as Report[]);
        } catch (cause) {
          reject(new Error(`eslint: ${stderr}`, { cause }));
        }
      },
    );
  });
}
