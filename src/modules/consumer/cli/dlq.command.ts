import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import { Command, CommandRunner, Help, Option, SubCommand } from 'nest-commander';
import { CliError, EXIT } from '../../../platform/cli/exit-codes.js';
import { idOption, oneOf, reasonOption } from '../../../platform/cli/options.js';
import { note, out, result } from '../../../platform/cli/output.js';
import { examples } from '../../../platform/cli/runtime.js';
import { replaceAt } from '../domain/replace-at.js';
import { objectOf } from '../domain/record-value.js';
import { LETTER_STATUSES, type LetterStatus } from '../persistence/letter-store.js';
import {
  ChangeLettersCommand,
  type ChangeOptions,
  DeadLetterCommand,
  type FilterOptions,
  intentOf,
  LettersCommand,
} from './dlq-options.js';
import { letterJson, letterPage, letterTable } from './letter-text.js';

/** What waits for an operator, or is on its way because of one. */
const UNRESOLVED = ['DEAD', 'PARKED', 'REPLAYING'] as const;
/** What can be skipped. */
const STANDING = ['DEAD', 'PARKED'] as const;

/** @throws CliError (exit code 2): an argument is no option, and commander passes it through as it is */
function letterId(text: string | undefined): string {
  try {
    return idOption(text ?? '');
  } catch (cause) {
    throw new CliError(`<dead-letter-id>: ${(cause as Error).message}`, EXIT.usage, { cause });
  }
}

@SubCommand({ name: 'list', description: 'Show dead letters, oldest first' })
export class DlqListCommand extends LettersCommand {
  async run(_: string[], options: FilterOptions): Promise<void> {
    const letters = await this.withOperations(async (operations, app) =>
      operations.list(await this.filterOf(app, options, UNRESOLVED)),
    );
    if (letters.length === options.limit) note(`there may be more than these ${options.limit} (--limit)`);
    result(options.json, { letters }, letterTable(letters));
  }

  @Option({
    flags: '--status <status>',
    description: `${LETTER_STATUSES.join(', ')}; without it: all that are neither resolved nor skipped`,
  })
  status(text: string): LetterStatus {
    return oneOf(LETTER_STATUSES)(text);
  }

  @Help('after')
  help(): string {
    return examples(
      'dlq list',
      'dlq list --tenant demo --code PROJECTION_FAILED',
      'dlq list --status RESOLVED --since 2026-03-02 --json',
    );
  }
}

@SubCommand({
  name: 'inspect',
  arguments: '<dead-letter-id>',
  description: 'Show one dead letter: its event, headers, cause, times, and what stands before and behind it',
})
export class DlqInspectCommand extends DeadLetterCommand {
  async run([text]: string[], { json }: { json?: boolean }): Promise<void> {
    const id = letterId(text);
    const letter = await this.withOperations((operations) => operations.inspect(id));
    result(json, letterJson(letter), letterPage(letter));
  }

  @Help('after')
  help(): string {
    return examples('dlq inspect 0199d0d2-6e7b-7000-8000-c30d9b5b3f4e');
  }
}

interface PatchOptions extends ChangeOptions {
  data?: Record<string, unknown>;
  set?: readonly (readonly [string, unknown])[];
}

@SubCommand({
  name: 'patch',
  arguments: '<dead-letter-id>',
  description: "Correct the data of a dead letter's event; what was delivered is kept",
})
export class DlqPatchCommand extends DeadLetterCommand {
  async run([text]: string[], options: PatchOptions): Promise<void> {
    const id = letterId(text);
    const intent = intentOf(options, 1);
    const { data, set = [], json } = options;
    if ((data === undefined) === (set.length === 0))
      throw new CliError('say what is right: either --data or --set', EXIT.usage);
    const patched = await this.withOperations((operations) =>
      operations.patch(intent, id, (before) =>
        set.reduce((now, [path, value]) => replaceAt(now, path, value), data ?? before),
      ),
    );
    const told = intent.dryRun ? 'dry run: its data would be' : 'its data are now';
    result(
      json,
      { dryRun: intent.dryRun, deadLetterId: id, data: patched.data },
      `${told}\n${JSON.stringify(patched.data, null, 2)}`,
    );
  }

  @Option({ flags: '--data <json>', description: 'all of its data: JSON, @file, or - for standard input' })
  data(text: string): Record<string, unknown> {
    const source = text === '-' ? 0 : text.startsWith('@') ? text.slice(1) : null;
    const data = objectOf(source === null ? Buffer.from(text) : readFileSync(source));
    if (data === null) throw new InvalidArgumentError('It must be a JSON object, @file or -.');
    return data;
  }

  @Option({
    flags: '--set <path=value>',
    description: 'one value that is there: nightlyMinor.0=12000; JSON or text; repeatable',
  })
  set(text: string, before: readonly (readonly [string, unknown])[] = []): (readonly [string, unknown])[] {
    const [, path, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (path === undefined) throw new InvalidArgumentError('It must be path=value.');
    return [...before, [path, jsonOrText(value!)]];
  }

  @Option({ flags: '--reason <text>', description: 'why; the audit log keeps it' })
  reason(text: string): string {
    return reasonOption(text);
  }

  @Option({ flags: '--dry-run', description: 'only show what would be done' })
  dryRun(): boolean {
    return true;
  }

  @Help('after')
  help(): string {
    const id = '0199d0d2-6e7b-7000-8000-c30d9b5b3f4e';
    return examples(
      `dlq patch ${id} --set status=CONFIRMED --reason "typing error of the importer" --dry-run`,
      `dlq patch ${id} --data @data.json --reason "see ticket 4711"`,
    );
  }
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

@SubCommand({
  name: 'replay',
  description:
    'Let a worker publish dead letters again, in order, each with its event id; what is parked behind follows',
})
export class DlqReplayCommand extends ChangeLettersCommand {
  async run(_: string[], options: FilterOptions & ChangeOptions): Promise<void> {
    const intent = intentOf(options, this.conditions(options));
    const letters = await this.withOperations(async (operations, app) =>
      operations.replay(intent, await this.filterOf(app, options, UNRESOLVED)),
    );
    const told = intent.dryRun ? 'dry run: they would be replayed' : 'on their way';
    result(
      options.json,
      { dryRun: intent.dryRun, letters },
      `${letterTable(letters)}\n\n${letters.length} dead letters, ${told}`,
    );
  }

  @Option({ flags: '--status <status>', description: UNRESOLVED.join(', ') })
  status(text: string): LetterStatus {
    return oneOf(UNRESOLVED)(text);
  }

  @Help('after')
  help(): string {
    return examples(
      'dlq replay --code SQLSTATE_42501 --reason "grant restored" --dry-run',
      'dlq replay --id 0199d0d2-6e7b-7000-8000-c30d9b5b3f4e --reason "patched"',
      'dlq replay --all --reason "projector mended in 1.4.2"',
    );
  }
}

@SubCommand({
  name: 'skip',
  description: 'Settle dead letters without effect, each at its turn; what is parked behind goes on',
})
export class DlqSkipCommand extends ChangeLettersCommand {
  async run(_: string[], options: FilterOptions & ChangeOptions): Promise<void> {
    const intent = intentOf(options, this.conditions(options));
    const { letters, promoted, refused } = await this.withOperations(async (operations, app) =>
      operations.skip(intent, await this.filterOf(app, options, STANDING)),
    );
    for (const { deadLetterId, why } of refused) note(`${deadLetterId} is not skipped: ${why}`);
    if (letters.length === 0 && refused.length > 0) throw new CliError('nothing was skipped', EXIT.refused);
    const told = intent.dryRun ? 'would be skipped (dry run)' : 'skipped';
    result(
      options.json,
      { dryRun: intent.dryRun, letters, promoted, refused },
      `${letterTable(letters)}\n\n${letters.length} dead letters ${told}, ${promoted} behind them go on`,
    );
  }

  @Option({ flags: '--status <status>', description: STANDING.join(', ') })
  status(text: string): LetterStatus {
    return oneOf(STANDING)(text);
  }

  @Help('after')
  help(): string {
    return examples(
      'dlq skip --id 0199d0d2-6e7b-7000-8000-c30d9b5b3f4e --reason "booked again by hand" --dry-run',
      'dlq skip --key 0199d0d2-6e7b-7000-8000-c30d9b5b3f4e --status DEAD --reason "test data"',
    );
  }
}

@Command({
  name: 'dlq',
  description: 'Dead letters: events that could not be applied',
  subCommands: [DlqListCommand, DlqInspectCommand, DlqPatchCommand, DlqReplayCommand, DlqSkipCommand],
})
export class DlqCommand extends CommandRunner {
  run(): Promise<void> {
    out(this.command.helpInformation());
    return Promise.resolve();
  }
}
