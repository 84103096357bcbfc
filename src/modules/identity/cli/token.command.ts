import { Inject } from '@nestjs/common';
import { Command, CommandRunner, Help, Option, SubCommand } from 'nest-commander';
import { out, result } from '../../../platform/cli/output.js';
import { durationOption, matching, oneOf } from '../../../platform/cli/options.js';
import { CliRuntime, examples } from '../../../platform/cli/runtime.js';
import { PLATFORM_TENANT_ID } from '../../../platform/kernel/ids.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { tenantByCode } from '../../tenants/contract/tenant-by-code.js';
import { ROLE_PERMISSIONS, ROLES, type Role } from '../contract/permissions.js';
import { TokenIssuer } from '../contract/token-issuer.js';

interface IssueOptions {
  tenant: string;
  role: Role;
  subject: string;
  ttl: number;
  json?: boolean;
}

@SubCommand({ name: 'issue', description: 'Sign an access token and print it' })
export class TokenIssueCommand extends CommandRunner {
  constructor(@Inject(CliRuntime) private readonly runtime: CliRuntime) {
    super();
  }

  async run(_: string[], { tenant, role, subject, ttl, json }: IssueOptions): Promise<void> {
    const token = await this.runtime.withApp(async (app) => {
      const tenantId =
        role === 'platform' ? PLATFORM_TENANT_ID : (await tenantByCode(app.get(UnitOfWork), tenant)).tenantId;
      const permissions = ROLE_PERMISSIONS[role];
      return app.get(TokenIssuer).issueToken({ tenantId, subject, permissions, ttlSeconds: ttl });
    });
    result(json, { token, tenant, role, subject, expiresInSeconds: ttl }, token);
  }

  @Option({ flags: '--tenant <code>', description: 'tenant that the token is for', defaultValue: 'demo' })
  tenant(code: string): string {
    return code;
  }

  @Option({
    flags: '--role <role>',
    description: 'what it permits',
    choices: [...ROLES],
    defaultValue: 'manager',
  })
  role(role: string): Role {
    return oneOf(ROLES)(role);
  }

  @Option({
    flags: '--subject <name>',
    description: 'who acts with it, as the audit will say',
    defaultValue: 'cli',
  })
  subject(subject: string): string {
    return matching(/^[\x21-\x7e]{1,120}$/, '1 to 120 visible ASCII characters without blanks')(subject);
  }

  @Option({
    flags: '--ttl <time>',
    description: 'how long it is valid: 90s, 15m, 8h, 30d',
    defaultValue: 28_800,
  })
  ttl(text: string): number {
    return durationOption(text);
  }

  @Option({ flags: '--json', description: 'print one JSON object' })
  json(): boolean {
    return true;
  }

  @Help('after')
  help(): string {
    return examples(
      'token issue',
      'token issue --role staff --subject desk-1 --ttl 12h',
      'token issue --role platform --json',
    );
  }
}

@Command({ name: 'token', description: 'Access tokens', subCommands: [TokenIssueCommand] })
export class TokenCommand extends CommandRunner {
  run(): Promise<void> {
    out(this.command.helpInformation());
    return Promise.resolve();
  }
}
