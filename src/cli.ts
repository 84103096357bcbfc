import 'reflect-metadata';
import { CommanderError, type Command } from 'commander';
import { CommandFactory, CommandRunnerService } from 'nest-commander';
import { CliModule } from './entrypoints/cli/cli.module.js';
import { endOf, EXIT } from './platform/cli/exit-codes.js';
import { note } from './platform/cli/output.js';

/** Commander ends help and version with 0, everything else that it says with 1: a usage error here. */
function usage(error: Error): never {
  process.exit(error instanceof CommanderError && error.exitCode === 0 ? EXIT.ok : EXIT.usage);
}

function fail(error: Error): void {
  const { code, message } = endOf(error);
  note(`tartware: ${message}`);
  if (code === EXIT.failed) note(error.stack ?? '');
  process.exitCode = code;
}

/** nest-commander sets its exit handler on the root alone; a command below would end with 1, and ignore what it can't use. */
function strict(command: Command): void {
  command.exitOverride(usage).allowExcessArguments(false);
  command.commands.forEach(strict);
}

const app = await CommandFactory.createWithoutRunning(CliModule, {
  logger: ['warn', 'error', 'fatal'],
  cliName: 'tartware',
  errorHandler: usage,
  serviceErrorHandler: fail,
});
try {
  strict(app.get<CommandRunnerService, { readonly commander: Command }>(CommandRunnerService).commander);
  await CommandFactory.runApplication(app);
} finally {
  await app.close();
}
