import { Inject } from '@nestjs/common';
import { Command, CommandRunner, Help, Option } from 'nest-commander';
import { result } from '../../platform/cli/output.js';
import { CliRuntime, examples } from '../../platform/cli/runtime.js';
import { pendingMigrations, runMigrations } from '../../platform/database/migrate.js';

@Command({ name: 'migrate', description: 'Bring the schema up to date, as its owner (DATABASE_OWNER_URL)' })
export class MigrateCommand extends CommandRunner {
  constructor(@Inject(CliRuntime) private readonly runtime: CliRuntime) {
    super();
  }

  async run(_: string[], { status, json }: { status?: boolean; json?: boolean }): Promise<void> {
    if (status) {
      const pending = await this.runtime.withOwner(pendingMigrations);
      return result(json, { pending }, pending.length ? `pending: ${pending.join(', ')}` : 'up to date');
    }
    const applied = await this.runtime.withOwner(runMigrations);
    result(json, { applied }, applied.length ? `applied: ${applied.join(', ')}` : 'up to date');
  }

  @Option({ flags: '--status', description: 'only tell what is pending' })
  status(): boolean {
    return true;
  }

  @Option({ flags: '--json', description: 'print one JSON object' })
  json(): boolean {
    return true;
  }

  @Help('after')
  help(): string {
    return examples('migrate', 'migrate --status');
  }
}
