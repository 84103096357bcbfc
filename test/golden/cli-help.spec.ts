import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import type { Command } from 'commander';
import { golden, textOf } from './golden-file.js';

const ROOT = join(import.meta.dirname, '../..');

/** What `--help` prints for a command: its help and whatever is hung after it. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => void (text += part), getOutHelpWidth: () => 80 });
  command.outputHelp();
  return text;
}

/** A command and all below it, in the order in which help lists them. */
function* withChildren(command: Command, path: string): Generator<[path: string, command: Command]> {
  yield [path, command];
  for (const child of command.commands) yield* withChildren(child, `${path} ${child.name()}`);
}

describe('the command line', () => {
  let app: INestApplicationContext;
  let commands: [path: string, command: Command][] = [];

  beforeAll(async () => {
    // In this order, one after the other: nest-commander is CommonJS and requires Nest, which must be there by then.
    await import('@nestjs/core');
    const { CommandFactory, CommandRunnerService } = await import('nest-commander');
    const { CliModule } = await import('../../src/entrypoints/cli/cli.module.js');
    app = await CommandFactory.createWithoutRunning(CliModule, { cliName: 'tartware', logger: false });
    const root = app.get<{ commander: Command }>(CommandRunnerService).commander;
    root.name('tartware');
    commands = [...withChildren(root, 'tartware')];
  });

  afterAll(() => app.close());

  test('--help of every command is the golden one (when it is meant: UPDATE_GOLDEN=1)', () => {
    const text = commands
      .map(([path, command]) => `$ ${path} --help\n${helpOf(command).trimEnd()}\n`)
      .join('\n');
    expect(text.split('\n')).toEqual(golden('test/golden/cli-help.txt', text).split('\n'));
  });

  test('every command that does something takes --json and shows examples of itself', () => {
    const doing = commands.filter(([, command]) => command.commands.length === 0);
    expect(doing.length).toBeGreaterThan(0);
    const poor = doing.filter(([path, command]) => {
      const help = helpOf(command);
      return !help.includes('--json') || !help.includes(`$ npx ${path}`);
    });
    expect(poor.map(([path]) => path)).toEqual([]);
  });

  test('--help reaches neither database nor broker, and ends with 0', async () => {
    const program = [
      '--import',
      join(ROOT, 'test/support/ts-hooks.mjs'),
      join(ROOT, 'src/cli.ts'),
      'token',
      'issue',
      '--help',
    ];
    const env = { PATH: process.env['PATH'], DATABASE_URL: 'no address', TARTWARE_HOME: '/nowhere' };
    const { stdout } = await promisify(execFile)(process.execPath, program, { env });
    // Word for word: the tree above is the one that users meet, under the name of the file that they start.
    const help = stdout.trimEnd().replace('Usage: cli ', 'Usage: tartware ');
    expect(textOf('test/golden/cli-help.txt')).toContain(`$ tartware token issue --help\n${help}\n`);
  }, 60_000);
});
