import { Inject } from '@nestjs/common';
import { Command, CommandRunner, Help, Option, SubCommand } from 'nest-commander';
import { operatorContext } from '../../../platform/cli/operator.js';
import { out, result } from '../../../platform/cli/output.js';
import { dateOption } from '../../../platform/cli/options.js';
import { CliRuntime, examples } from '../../../platform/cli/runtime.js';
import { checkInput } from '../../../platform/http/validation.js';
import type { IsoDate } from '../../../platform/kernel/dates.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { tenantByCode } from '../../tenants/contract/tenant-by-code.js';
import { CreatePropertyBody } from '../commands/create-property/create-property.body.js';
import { CreateProperty } from '../commands/create-property/create-property.js';
import type { PropertyView } from '../queries/property-view.js';

interface CreateOptions {
  tenant: string;
  code: string;
  name: string;
  timeZone: string;
  currency: string;
  businessDate?: IsoDate;
  json?: boolean;
}

@SubCommand({ name: 'create', description: 'Create a property with its rate plans BAR and RACK' })
export class PropertyCreateCommand extends CommandRunner {
  constructor(@Inject(CliRuntime) private readonly runtime: CliRuntime) {
    super();
  }

  async run(_: string[], { tenant, json, ...given }: CreateOptions): Promise<void> {
    const input = checkInput(CreatePropertyBody, given);
    const property = await this.runtime.withApp(async (app) => {
      const ctx = operatorContext((await tenantByCode(app.get(UnitOfWork), tenant)).tenantId);
      const { body } = await app.get(CreateProperty).execute(ctx, input, null);
      return (JSON.parse(body) as { data: PropertyView }).data;
    });
    result(json, property, `${property.code}  ${property.id}  business date ${property.businessDate}`);
  }

  @Option({ flags: '--tenant <code>', description: 'tenant', defaultValue: 'demo' })
  tenant(code: string): string {
    return code;
  }

  @Option({ flags: '--code <code>', description: 'short code, unique in the tenant: LISBON', required: true })
  code(code: string): string {
    return code;
  }

  @Option({ flags: '--name <name>', description: 'name', required: true })
  propertyName(name: string): string {
    return name;
  }

  @Option({ flags: '--time-zone <zone>', description: 'IANA time zone', required: true })
  timeZone(zone: string): string {
    return zone;
  }

  @Option({ flags: '--currency <code>', description: 'ISO 4217 currency', required: true })
  currency(code: string): string {
    return code;
  }

  @Option({
    flags: '--business-date <date>',
    description: "the day to begin with; today in the property's zone",
  })
  businessDate(text: string): IsoDate {
    return dateOption(text);
  }

  @Option({ flags: '--json', description: 'print one JSON object' })
  json(): boolean {
    return true;
  }

  @Help('after')
  help(): string {
    return examples(
      'property create --code LISBON --name "Lisbon Riverside" --time-zone Europe/Lisbon --currency EUR',
    );
  }
}

@Command({ name: 'property', description: 'Properties', subCommands: [PropertyCreateCommand] })
export class PropertyCommand extends CommandRunner {
  run(): Promise<void> {
    out(this.command.helpInformation());
    return Promise.resolve();
  }
}
