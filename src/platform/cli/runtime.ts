import type { INestApplicationContext } from '@nestjs/common';
import type { AppConfig } from '../config/config.js';

/** What a command needs of the application. */
export interface RuntimeNeeds {
  /** Relay and consumer run as well, until the command ends. */
  readonly worker?: boolean;
  /** `BackgroundWork` is there, across tenants, but no loop runs. */
  readonly background?: boolean;
}

/**
 * Opens the application for a command and closes it again: the embedded PostgreSQL (joined where it runs, else started
 * and stopped), or the servers that the environment names. Opened on demand, so that `--help` touches nothing.
 */
export abstract class CliRuntime {
  abstract readonly config: AppConfig;

  /** The schema is up to date (embedded) or expected to be; @throws what `work` throws, after everything is closed */
  abstract withApp<T>(work: (app: INestApplicationContext) => Promise<T>, needs?: RuntimeNeeds): Promise<T>;

  /** The owner's address, for migrations; without an application. @throws ConfigError when none is configured */
  abstract withOwner<T>(work: (ownerUrl: string) => Promise<T>): Promise<T>;
}

/** The examples at the end of a command's help. */
export const examples = (...lines: string[]): string =>
  `\nExamples:\n${lines.map((line) => `  $ npx tartware ${line}`).join('\n')}\n`;
