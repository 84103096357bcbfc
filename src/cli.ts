import 'reflect-metadata';
import { CommanderError } from 'commander';
import { CommandFactory } from 'nest-commander';
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

await CommandFactory.run(CliModule, {
  logger: ['warn', 'error', 'fatal'],
  cliName: 'tartware',
  errorHandler: usage,
  serviceErrorHandler: fail,
});
