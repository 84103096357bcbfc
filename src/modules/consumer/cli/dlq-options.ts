import type { INestApplicationContext } from '@nestjs/common';
import { Inject } from '@nestjs/common';
import { InvalidArgumentError } from 'commander';
import { CommandRunner, Option } from 'nest-commander';
import { operatorContext } from '../../../platform/cli/operator.js';
import {
  idOption,
  matching,
  reasonOption,
  requireIntent,
  wholeNumber,
} from '../../../platform/cli/options.js';
import { CliRuntime } from '../../../platform/cli/runtime.js';
import { BackgroundWork, UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { isIsoDate } from '../../../platform/kernel/dates.js';
import { PLATFORM_TENANT_ID } from '../../../platform/kernel/ids.js';
import { tenantByCode } from '../../tenants/contract/tenant-by-code.js';
import { DeadLetterOperations, type Intent } from '../operations/dead-letter-operations.js';
import type { LetterFilter, LetterStatus } from '../persistence/letter-store.js';

/** Which dead letters are meant. */
export interface FilterOptions {
  id?: string;
  tenant?: string;
  key?: string;
  event?: string;
  code?: string;
  status?: LetterStatus;
  since?: string;
  until?: string;
  limit: number;
  json?: boolean;
}

/** What a command that changes needs besides. */
export interface ChangeOptions {
  dryRun?: boolean;
  reason?: string;
  json?: boolean;
}

/** @throws InvalidArgumentError (exit code 2) unless `text` is a day or a time in UTC */
function timeOption(text: string): string {
  const [, day, time = 'T00:00Z'] =
    /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?Z)?$/.exec(text) ?? [];
  if (day === undefined || !isIsoDate(day) || Number.isNaN(Date.parse(day + time)))
    throw new InvalidArgumentError('It must be a day or a time in UTC: 2026-03-02 or 2026-03-02T10:00Z.');
  return day + time;
}

/** The intent of a mutation. @throws CliError (exit code 2) without a reason, or without saying which */
export function intentOf(options: ChangeOptions & { all?: boolean }, filters: number): Intent {
  requireIntent(options, filters);
  return {
    ctx: operatorContext(PLATFORM_TENANT_ID),
    reason: options.reason ?? '',
    dryRun: options.dryRun === true,
  };
}

/** Options that every command on dead letters shares. */
export abstract class DeadLetterCommand extends CommandRunner {
  constructor(@Inject(CliRuntime) protected readonly runtime: CliRuntime) {
    super();
  }

  /** Works on the database alone: no broker is needed here. */
  protected withOperations<T>(
    work: (operations: DeadLetterOperations, app: INestApplicationContext) => Promise<T>,
  ): Promise<T> {
    return this.runtime.withApp((app) => work(new DeadLetterOperations(app.get(BackgroundWork)), app), {
      background: true,
    });
  }

  @Option({ flags: '--json', description: 'print one JSON object' })
  json(): boolean {
    return true;
  }
}

/** A command on the letters that a filter means. */
export abstract class LettersCommand extends DeadLetterCommand {
  /** @throws DomainError TENANT_NOT_FOUND (exit code 4) */
  protected async filterOf(
    app: INestApplicationContext,
    { id, tenant, key, event, code, status, since, until, limit }: FilterOptions,
    statuses: readonly LetterStatus[],
  ): Promise<LetterFilter> {
    return {
      ...(id !== undefined && { deadLetterId: id }),
      ...(tenant !== undefined && {
        tenantId: (await tenantByCode(app.get(UnitOfWork), tenant)).tenantId,
      }),
      ...(key !== undefined && { aggregateId: key }),
      ...(event !== undefined && { eventId: event }),
      ...(code !== undefined && { code }),
      ...(since !== undefined && { since }),
      ...(until !== undefined && { until }),
      statuses: status === undefined ? statuses : [status],
      limit,
    };
  }

  @Option({ flags: '--id <id>', description: 'this dead letter' })
  id(text: string): string {
    return idOption(text);
  }

  @Option({ flags: '--tenant <code>', description: 'of this tenant only' })
  tenant(code: string): string {
    return code;
  }

  @Option({ flags: '--key <id>', description: 'of this aggregate only: a reservation, a guest …' })
  key(text: string): string {
    return idOption(text);
  }

  @Option({ flags: '--event <id>', description: 'of this event' })
  event(text: string): string {
    return idOption(text);
  }

  @Option({ flags: '--code <code>', description: 'failure code: PROJECTION_FAILED, SQLSTATE_23514 …' })
  code(text: string): string {
    return matching(/^[A-Z][A-Z0-9_]{2,60}$/, 'a failure code such as PROJECTION_FAILED')(text);
  }

  @Option({ flags: '--since <time>', description: 'dead-lettered at or after this day or time (UTC)' })
  since(text: string): string {
    return timeOption(text);
  }

  @Option({ flags: '--until <time>', description: 'dead-lettered before this day or time (UTC)' })
  until(text: string): string {
    return timeOption(text);
  }

  @Option({ flags: '--limit <n>', description: 'the oldest so many, 1 to 10000', defaultValue: 1_000 })
  limit(text: string): number {
    return wholeNumber(1, 10_000)(text);
  }
}

/** A command that changes the letters that a filter means. */
export abstract class ChangeLettersCommand extends LettersCommand {
  /** How many conditions narrow the letters; the limit is none. */
  protected conditions({ id, tenant, key, event, code, status, since, until }: FilterOptions): number {
    return [id, tenant, key, event, code, status, since, until].filter((value) => value !== undefined).length;
  }

  @Option({ flags: '--all', description: 'every unresolved one, without a filter' })
  all(): boolean {
    return true;
  }

  @Option({ flags: '--reason <text>', description: 'why; the audit log keeps it' })
  reason(text: string): string {
    return reasonOption(text);
  }

  @Option({ flags: '--dry-run', description: 'only show what would be done' })
  dryRun(): boolean {
    return true;
  }
}
