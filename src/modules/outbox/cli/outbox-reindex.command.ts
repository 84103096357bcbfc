import { Inject } from '@nestjs/common';
import { CommandRunner, Help, Option, SubCommand } from 'nest-commander';
import { operatorContext } from '../../../platform/cli/operator.js';
import { reasonOption, requireIntent } from '../../../platform/cli/options.js';
import { note, result, table } from '../../../platform/cli/output.js';
import { CliRuntime, examples } from '../../../platform/cli/runtime.js';
import { reindex } from '../../../platform/database/reindex.js';
import { BackgroundWork } from '../../../platform/database/unit-of-work.js';
import { PLATFORM_TENANT_ID } from '../../../platform/kernel/ids.js';
import { recordActs } from '../contract/record-acts.js';

const QUEUE_TABLES = ['outbox_queue', 'outbox_blocked_keys', 'outbox_slots'];
const LOG_TABLES = ['outbox_events', 'event_receipts'];

interface ReindexOptions {
  log?: boolean;
  reason?: string;
  json?: boolean;
}

@SubCommand({
  name: 'reindex',
  description:
    "Build the queue's indexes anew beside running relays, as the schema's owner (DATABASE_OWNER_URL)",
})
export class OutboxReindexCommand extends CommandRunner {
  constructor(@Inject(CliRuntime) private readonly runtime: CliRuntime) {
    super();
  }

  async run(_: string[], { log, reason, json }: ReindexOptions): Promise<void> {
    requireIntent({ all: true, ...(reason !== undefined && { reason }) }, 0);
    const tables = log ? [...QUEUE_TABLES, ...LOG_TABLES] : QUEUE_TABLES;
    await this.runtime.withApp(
      (app) =>
        app.get(BackgroundWork).run('outbox.reindexed', (tx) =>
          recordActs(tx, operatorContext(PLATFORM_TENANT_ID), [
            {
              tenantId: PLATFORM_TENANT_ID,
              action: 'outbox.reindexed',
              resourceType: 'outbox',
              resourceId: PLATFORM_TENANT_ID,
              changes: { reason, tables },
            },
          ]),
        ),
      { background: true },
    );
    let count = 0;
    const indexes = await this.runtime.withOwner((url) =>
      reindex(url, tables, ({ index }, of) => note(`${++count} of ${of}  ${index}`)),
    );
    result(json, { indexes }, table(indexes.map((one) => ({ ...one }))));
  }

  @Option({ flags: '--log', description: 'also those of the events and receipts, month by month' })
  log(): boolean {
    return true;
  }

  @Option({ flags: '--reason <text>', description: 'why; the audit log keeps it' })
  reason(text: string): string {
    return reasonOption(text);
  }

  @Option({ flags: '--json', description: 'print one JSON object' })
  json(): boolean {
    return true;
  }

  @Help('after')
  help(): string {
    return examples('outbox reindex --reason "bloat after the outage"');
  }
}
