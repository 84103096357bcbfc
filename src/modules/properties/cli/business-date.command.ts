import { Inject } from '@nestjs/common';
import { Command, CommandRunner, Help, Option, SubCommand } from 'nest-commander';
import { operatorContext } from '../../../platform/cli/operator.js';
import { out, result } from '../../../platform/cli/output.js';
import { dateOption } from '../../../platform/cli/options.js';
import { CliRuntime, examples } from '../../../platform/cli/runtime.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { tenantByCode } from '../../tenants/contract/tenant-by-code.js';
import { AdvanceBusinessDate } from '../commands/advance-business-date/advance-business-date.js';
import type { PropertyView } from '../queries/property-view.js';
import { PropertyQueries } from '../queries/property-queries.js';

interface AdvanceOptions {
  tenant: string;
  property: string;
  to?: IsoDate;
  json?: boolean;
}

@SubCommand({ name: 'advance', description: "Move a property's business date to the next day" })
export class BusinessDateAdvanceCommand extends CommandRunner {
  constructor(@Inject(CliRuntime) private readonly runtime: CliRuntime) {
    super();
  }

  async run(_: string[], { tenant, property: code, to, json }: AdvanceOptions): Promise<void> {
    const property = await this.runtime.withApp(async (app) => {
      const ctx = operatorContext((await tenantByCode(app.get(UnitOfWork), tenant)).tenantId);
      const { id } = await app.get(PropertyQueries).byCode(ctx, code);
      const { body } = await app
        .get(AdvanceBusinessDate)
        .execute(ctx, { propertyId: id, ...(to && { to }) }, null);
      return (JSON.parse(body) as { data: PropertyView }).data;
    });
    result(json, property, `${property.code}  business date ${property.businessDate}`);
  }

  @Option({ flags: '--tenant <code>', description: 'tenant', defaultValue: 'demo' })
  tenant(code: string): string {
    return code;
  }

  @Option({ flags: '--property <code>', description: 'property', required: true })
  property(code: string): string {
    return code;
  }

  @Option({ flags: '--to <date>', description: 'the next day, as you believe it: refused if it is another' })
  to(text: string): IsoDate {
    return dateOption(text);
  }

  @Option({ flags: '--json', description: 'print one JSON object' })
  json(): boolean {
    return true;
  }

  @Help('after')
  help(): string {
    return examples(
      'business-date advance --property DEMO',
      'business-date advance --property DEMO --to 2026-03-02',
    );
  }
}

@Command({ name: 'business-date', description: 'Business dates', subCommands: [BusinessDateAdvanceCommand] })
export class BusinessDateCommand extends CommandRunner {
  run(): Promise<void> {
    out(this.command.helpInformation());
    return Promise.resolve();
  }
}
