import { Inject } from '@nestjs/common';
import { Presets, SingleBar } from 'cli-progress';
import { CommandRunner, Help, Option, SubCommand } from 'nest-commander';
import { CliError, EXIT } from '../../../platform/cli/exit-codes.js';
import { operatorContext } from '../../../platform/cli/operator.js';
import { note, result } from '../../../platform/cli/output.js';
import { wholeNumber } from '../../../platform/cli/options.js';
import { CliRuntime, examples } from '../../../platform/cli/runtime.js';
import { withOwnerSession } from '../../../platform/database/owner-session.js';
import { BackgroundWork, type BackgroundTx } from '../../../platform/database/unit-of-work.js';
import { PLATFORM_TENANT_ID } from '../../../platform/kernel/ids.js';
import { recordActs } from '../../outbox/contract/record-acts.js';
import { Backfill, type BackfillProgress } from '../backfill/backfill.js';
import { NotPartitionableError } from '../backfill/table-shape.js';
import { exportPartition, NoDetachedMonthError } from '../export/export-partition.js';
import { recordExport } from '../persistence/partition-store.js';

/** Writes what an operator did to the audit log, with `work` in the same transaction. */
const audited = (
  runtime: CliRuntime,
  action: string,
  changes: Record<string, unknown>,
  work: (tx: BackgroundTx) => Promise<unknown> = () => Promise.resolve(),
): Promise<void> =>
  runtime.withApp(
    (app) =>
      app.get(BackgroundWork).run('maintenance.record_act', async (tx) => {
        await work(tx);
        await recordActs(tx, operatorContext(PLATFORM_TENANT_ID), [
          {
            tenantId: PLATFORM_TENANT_ID,
            action,
            resourceType: 'partition',
            resourceId: PLATFORM_TENANT_ID,
            changes,
          },
        ]);
      }),
    { background: true },
  );

interface ExportOptions {
  to: string;
  json?: boolean;
}

@SubCommand({
  name: 'export',
  arguments: '<partition>',
  argsDescription: { partition: 'a detached month: audit_log_2019_03' },
  description: 'Write a detached month as JSON lines, all or nothing',
})
export class PartitionsExportCommand extends CommandRunner {
  constructor(@Inject(CliRuntime) private readonly runtime: CliRuntime) {
    super();
  }

  async run([partition]: string[], { to, json }: ExportOptions): Promise<void> {
    const exported = await this.runtime.withOwner((url) =>
      withOwnerSession(url, (session) =>
        exportPartition(session, partition!, to === '-' ? process.stdout : to).catch((error: unknown) => {
          if (error instanceof NoDetachedMonthError)
            throw new CliError(error.message, EXIT.notFound, { cause: error });
          throw error;
        }),
      ),
    );
    await audited(this.runtime, 'partition.exported', { ...exported, to }, (tx) =>
      recordExport(tx, partition!, exported.rows, exported.sha256),
    );
    const { rows, bytes, sha256 } = exported;
    const text = `${partition}  ${rows} rows  ${bytes} bytes  sha256 ${sha256}`;
    if (to === '-') note(json ? JSON.stringify(exported) : text);
    else result(json, exported, text);
  }

  @Option({
    flags: '--to <file>',
    description:
      'the file, gzipped if it ends in .gz; - for standard output (the result then goes to standard error)',
    required: true,
  })
  to(file: string): string {
    return file;
  }

  @Option({ flags: '--json', description: 'print one JSON object' })
  json(): boolean {
    return true;
  }

  @Help('after')
  help(): string {
    return examples(
      'partitions export audit_log_2019_03 --to audit_log_2019_03.jsonl.gz',
      'partitions export outbox_events_2025_10 --to - | zstd > events.zst',
    );
  }
}

interface BackfillCommandOptions {
  table: string;
  column: string;
  batch: number;
  dryRun?: boolean;
  json?: boolean;
}

/** A bar over the pages of the table on a terminal, a line every few seconds elsewhere. */
function progressBar(): { report: (progress: BackfillProgress) => void; stop: () => void } {
  const bar = new SingleBar(
    {
      format: '{bar} {percentage}% | {value}/{total} pages | {rows} rows | {eta_formatted} left | {step}',
      stream: process.stderr,
      noTTYOutput: true,
      notTTYSchedule: 5_000,
    },
    Presets.shades_classic,
  );
  bar.start(1, 0, { rows: 0, step: 'preparing' });
  return {
    report: ({ step, blocks, doneBlocks, rows }) => {
      bar.setTotal(Math.max(blocks, 1));
      bar.update(Math.min(doneBlocks, blocks), { step, ...(step === 'copying' ? { rows } : {}) });
    },
    stop: () => bar.stop(),
  };
}

@SubCommand({
  name: 'backfill',
  description: 'Move the history of a table into months and swap it in, while it is read and written',
})
export class PartitionsBackfillCommand extends CommandRunner {
  constructor(@Inject(CliRuntime) private readonly runtime: CliRuntime) {
    super();
  }

  async run(_: string[], { dryRun, json, ...options }: BackfillCommandOptions): Promise<void> {
    const shape = await this.asOwner(options, (backfill) => backfill.plan());
    const { rows, bytes } = shape;
    if (dryRun)
      return result(
        json,
        { table: shape.name, column: shape.column, key: shape.key, rows, bytes },
        `${shape.name} would be moved into months by ${shape.column}: about ${rows} rows, ${bytes} bytes`,
      );
    // Before it is done as well as after: a table that is half moved must not come as a surprise.
    await audited(this.runtime, 'partition.backfill_started', { ...options });
    const bar = progressBar();
    const done = await this.asOwner(options, (backfill) => backfill.run(), bar.report).finally(() =>
      bar.stop(),
    );
    await audited(this.runtime, 'partition.backfilled', { ...done });
    result(
      json,
      done,
      `${done.table}: ${done.rows} rows in ${done.months} months; the old table stands as ${done.retired}, to be dropped`,
    );
  }

  private asOwner<T>(
    options: BackfillCommandOptions,
    work: (backfill: Backfill) => Promise<T>,
    report?: (progress: BackfillProgress) => void,
  ): Promise<T> {
    return this.runtime.withOwner((url) =>
      withOwnerSession(url, (session) => work(new Backfill(session, options, report))).catch(
        (error: unknown) => {
          if (error instanceof NotPartitionableError)
            throw new CliError(error.message, EXIT.refused, { cause: error });
          throw error;
        },
      ),
    );
  }

  @Option({ flags: '--table <name>', description: 'table of the schema public', required: true })
  table(name: string): string {
    return name;
  }

  @Option({
    flags: '--column <name>',
    description: 'timestamptz by which rows go into months',
    required: true,
  })
  column(name: string): string {
    return name;
  }

  @Option({
    flags: '--batch <n>',
    description: 'rows a transaction, more or less, 100 to 100000',
    defaultValue: 5_000,
  })
  batch(text: string): number {
    return wholeNumber(100, 100_000)(text);
  }

  @Option({ flags: '--dry-run', description: 'only tell whether it can be done' })
  dryRun(): boolean {
    return true;
  }

  @Option({ flags: '--json', description: 'print one JSON object' })
  json(): boolean {
    return true;
  }

  @Help('after')
  help(): string {
    return examples(
      'partitions backfill --table import_history --column occurred_at --dry-run',
      'partitions backfill --table import_history --column occurred_at',
    );
  }
}
