import { Inject } from '@nestjs/common';
import type { INestApplicationContext } from '@nestjs/common';
import { Command, CommandRunner, Help, Option, SubCommand } from 'nest-commander';
import { operatorContext } from '../../../platform/cli/operator.js';
import { note, out, result, table } from '../../../platform/cli/output.js';
import {
  durationOption,
  idOption,
  matching,
  oneOf,
  reasonOption,
  requireIntent,
  wholeNumber,
} from '../../../platform/cli/options.js';
import { CliRuntime, examples } from '../../../platform/cli/runtime.js';
import { BackgroundWork, UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { PLATFORM_TENANT_ID } from '../../../platform/kernel/ids.js';
import { tenantByCode } from '../../tenants/contract/tenant-by-code.js';
import {
  HELD_STATUSES,
  OUTBOX_STATUSES,
  type OutboxFilter,
  type OutboxHead,
  OutboxOperations,
  type OutboxStatus,
} from '../operations/outbox-operations.js';
import { OutboxReindexCommand } from './outbox-reindex.command.js';

interface FilterOptions {
  tenant?: string;
  key?: string;
  status?: OutboxStatus;
  type?: string;
  olderThan?: number;
  limit: number;
  json?: boolean;
}

interface ChangeOptions extends FilterOptions {
  all?: boolean;
  dryRun?: boolean;
  reason?: string;
}

async function filterOf(
  app: INestApplicationContext,
  { tenant, key, status, type, olderThan, limit }: FilterOptions,
): Promise<OutboxFilter> {
  return {
    ...(tenant !== undefined && { tenantId: (await tenantByCode(app.get(UnitOfWork), tenant)).tenantId }),
    ...(key !== undefined && { aggregateId: key }),
    ...(status !== undefined && { status }),
    ...(type !== undefined && { type }),
    ...(olderThan !== undefined && { olderThanSeconds: olderThan }),
    limit,
  };
}

const conditions = ({ tenant, key, status, type, olderThan }: FilterOptions): number =>
  [tenant, key, status, type, olderThan].filter((value) => value !== undefined).length;

const headTable = (heads: readonly OutboxHead[]): string =>
  table(
    heads.map(({ tenantId, aggregateId, keySeq, type, status, attempts, cause }) => ({
      tenant: tenantId,
      key: aggregateId,
      version: keySeq,
      type,
      status,
      attempts,
      cause: cause ?? '-',
    })),
  );

/** Which events are meant: the same options for every command on them. */
abstract class OutboxFilterCommand extends CommandRunner {
  constructor(@Inject(CliRuntime) protected readonly runtime: CliRuntime) {
    super();
  }

  @Option({ flags: '--tenant <code>', description: 'of this tenant only' })
  tenant(code: string): string {
    return code;
  }

  @Option({ flags: '--key <id>', description: 'of this aggregate only: a reservation, a guest …' })
  key(text: string): string {
    return idOption(text);
  }

  @Option({ flags: '--type <type>', description: 'event type: reservation.created' })
  type(text: string): string {
    return matching(/^[a-z_]+\.[a-z_]+$/, 'an event type such as reservation.created')(text);
  }

  @Option({ flags: '--older-than <time>', description: 'older than 90s, 15m, 8h, 30d' })
  olderThan(text: string): number {
    return durationOption(text);
  }

  @Option({ flags: '--json', description: 'print one JSON object' })
  json(): boolean {
    return true;
  }
}

@SubCommand({ name: 'list', description: 'Show events on their way into the event log, oldest first' })
export class OutboxListCommand extends OutboxFilterCommand {
  async run(_: string[], options: FilterOptions): Promise<void> {
    const events = await this.runtime.withApp(
      async (app) => new OutboxOperations(app.get(BackgroundWork)).list(await filterOf(app, options)),
      { background: true },
    );
    const rows = events.map(
      ({ tenantId, aggregateId, keySeq, type, status, attempts, occurredAt, cause }) => ({
        status,
        type,
        tenant: tenantId,
        key: aggregateId,
        version: keySeq,
        attempts,
        since: occurredAt,
        cause: cause ?? '-',
      }),
    );
    result(options.json, { events }, rows.length > 0 ? table(rows) : 'no such events');
  }

  @Option({
    flags: '--status <status>',
    description: `${OUTBOX_STATUSES.join(', ')}; without it: all that are not delivered`,
  })
  status(text: string): OutboxStatus {
    return oneOf(OUTBOX_STATUSES)(text);
  }

  @Option({ flags: '--limit <n>', description: 'at most, 1 to 10000', defaultValue: 100 })
  limit(text: string): number {
    return wholeNumber(1, 10_000)(text);
  }

  @Help('after')
  help(): string {
    return examples(
      'outbox list',
      'outbox list --status DLQ --tenant demo',
      'outbox list --older-than 2m --json',
    );
  }
}

/** Requeue and park: look for keys, show them, and unless it is a dry run change them. */
abstract class OutboxChangeCommand extends OutboxFilterCommand {
  protected abstract readonly done: string;
  protected abstract find(operations: OutboxOperations, filter: OutboxFilter): Promise<OutboxHead[]>;
  protected abstract change(
    operations: OutboxOperations,
    heads: readonly OutboxHead[],
    reason: string,
  ): Promise<number>;

  async run(_: string[], options: ChangeOptions): Promise<void> {
    requireIntent(options, conditions(options));
    const { dryRun, reason, json, limit } = options;
    const { keys, changed } = await this.runtime.withApp(
      async (app) => {
        const operations = new OutboxOperations(app.get(BackgroundWork));
        const found = await this.find(operations, await filterOf(app, options));
        return { keys: found, changed: dryRun ? 0 : await this.change(operations, found, reason!) };
      },
      { background: true },
    );
    if (keys.length === limit)
      note(`there may be more: only the first ${limit} keys were looked at (--limit)`);
    const told = dryRun
      ? `dry run: ${keys.length} keys would be ${this.done}`
      : `${changed} keys ${this.done}`;
    result(
      json,
      { dryRun: dryRun === true, changed, keys },
      keys.length > 0 ? `${headTable(keys)}\n\n${told}` : `no such keys\n\n${told}`,
    );
  }

  @Option({ flags: '--all', description: 'every key, without a filter' })
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

  @Option({ flags: '--limit <n>', description: 'keys at most, 1 to 100000', defaultValue: 10_000 })
  limit(text: string): number {
    return wholeNumber(1, 100_000)(text);
  }
}

@SubCommand({
  name: 'requeue',
  description: 'Let keys that are held back go on (FAILED, DLQ, PARKED), with their tries counted anew',
})
export class OutboxRequeueCommand extends OutboxChangeCommand {
  protected readonly done = 'requeued';

  protected find(operations: OutboxOperations, filter: OutboxFilter): Promise<OutboxHead[]> {
    return operations.held(filter);
  }

  protected change(
    operations: OutboxOperations,
    heads: readonly OutboxHead[],
    reason: string,
  ): Promise<number> {
    return operations.requeue(operatorContext(PLATFORM_TENANT_ID), heads, reason);
  }

  @Option({ flags: '--status <status>', description: HELD_STATUSES.join(', ') })
  status(text: string): OutboxStatus {
    return oneOf(HELD_STATUSES)(text);
  }

  @Help('after')
  help(): string {
    return examples(
      'outbox requeue --status DLQ --dry-run',
      'outbox requeue --status DLQ --tenant demo --reason "topic limit raised"',
    );
  }
}

@SubCommand({ name: 'park', description: 'Hold keys back, with all their events, until they are requeued' })
export class OutboxParkCommand extends OutboxChangeCommand {
  protected readonly done = 'parked';

  protected find(operations: OutboxOperations, filter: OutboxFilter): Promise<OutboxHead[]> {
    return operations.waiting(filter);
  }

  protected change(
    operations: OutboxOperations,
    heads: readonly OutboxHead[],
    reason: string,
  ): Promise<number> {
    return operations.park(operatorContext(PLATFORM_TENANT_ID), heads, reason);
  }

  @Option({ flags: '--status <status>', description: 'PENDING, IN_PROGRESS, FAILED' })
  status(text: string): OutboxStatus {
    return oneOf(['PENDING', 'IN_PROGRESS', 'FAILED'] as const)(text);
  }

  @Help('after')
  help(): string {
    return examples(
      'outbox park --tenant demo --dry-run',
      'outbox park --key 019a0000-0000-7000-8000-000000000001 --reason "wrong price, being looked at"',
    );
  }
}

@Command({
  name: 'outbox',
  description: 'Events on their way into the event log',
  subCommands: [OutboxListCommand, OutboxRequeueCommand, OutboxParkCommand, OutboxReindexCommand],
})
export class OutboxCommand extends CommandRunner {
  run(): Promise<void> {
    out(this.command.helpInformation());
    return Promise.resolve();
  }
}
