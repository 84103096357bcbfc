import { Inject } from '@nestjs/common';
import { Command, CommandRunner, Help, Option } from 'nest-commander';
import { result } from '../../../platform/cli/output.js';
import { CliRuntime, examples } from '../../../platform/cli/runtime.js';
import { DEMO, SeedDemo } from '../commands/seed-demo.js';

@Command({ name: 'seed', description: 'Create the demo tenant with one property, as far as it is missing' })
export class SeedCommand extends CommandRunner {
  constructor(@Inject(CliRuntime) private readonly runtime: CliRuntime) {
    super();
  }

  async run(_: string[], { json }: { json?: boolean }): Promise<void> {
    const seeded = await this.runtime.withApp((app) => app.get(SeedDemo).execute());
    result(
      json,
      { ...DEMO, ...seeded },
      `tenant ${DEMO.tenant} ${seeded.tenantId}, property ${DEMO.property} ${seeded.propertyId}`,
    );
  }

  @Option({ flags: '--json', description: 'print one JSON object' })
  json(): boolean {
    return true;
  }

  @Help('after')
  help(): string {
    return examples('seed');
  }
}
