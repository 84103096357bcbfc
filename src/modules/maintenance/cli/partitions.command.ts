import { Inject } from '@nestjs/common';
import { Command, CommandRunner, Help, Option, SubCommand } from 'nest-commander';
import { CliError, EXIT } from '../../../platform/cli/exit-codes.js';
import { operatorContext } from '../../../platform/cli/operator.js';
import { note, out, result, table } from '../../../platform/cli/output.js';
import { CliRuntime, examples } from '../../../platform/cli/runtime.js';
import { BackgroundWork } from '../../../platform/database/unit-of-work.js';
import { PLATFORM_TENANT_ID } from '../../../platform/kernel/ids.js';
import type { Hold } from '../persistence/partition-store.js';
import {
  nameOf,
  PartitionRotation,
  type ScheduledPartition,
  type StepOutcome,
} from '../rotation/partition-rotation.js';
import { PartitionsBackfillCommand, PartitionsExportCommand } from './partitions-data.command.js';

const SHORT = 16; // YYYY-MM-DD HH:MM
const time = (at: Date | null): string => at?.toISOString().replace('T', ' ').slice(0, SHORT) ?? '';
const holds = (all: readonly Hold[]): string =>
  all.map(({ reason, events }) => (events === null ? reason : `${events} ${reason}`)).join(', ');

const state = ({ month, attached, exportedAt }: ScheduledPartition): string =>
  month === null ? 'default' : attached ? 'in use' : exportedAt ? 'exported' : 'detached';

@SubCommand({ name: 'status', description: 'Every month of every partitioned table, and what becomes of it' })
export class PartitionsStatusCommand extends CommandRunner {
  constructor(@Inject(CliRuntime) private readonly runtime: CliRuntime) {
    super();
  }

  async run(_: string[], { times, json }: { times?: boolean; json?: boolean }): Promise<void> {
    const partitions = await this.runtime.withApp(
      (app) => new PartitionRotation(app.get(BackgroundWork), this.runtime.config).status(times === true),
      { background: true },
    );
    const rows = partitions.map((partition) => ({
      partition: partition.partition,
      state: state(partition),
      rows: partition.rows,
      bytes: partition.bytes,
      ...(times && { oldest: time(partition.oldest), newest: time(partition.newest) }),
      detach: partition.detachOn ?? '',
      drop: partition.dropOn ?? '',
      'held by': holds(partition.heldBy),
    }));
    result(json, { partitions }, table(rows));
  }

  @Option({ flags: '--times', description: 'with the oldest and newest row of each: reads all of them' })
  times(): boolean {
    return true;
  }

  @Option({ flags: '--json', description: 'print one JSON object' })
  json(): boolean {
    return true;
  }

  @Help('after')
  help(): string {
    return examples('partitions status', 'partitions status --times --json');
  }
}

type Planned = Omit<StepOutcome, 'outcome'> & { readonly outcome: 'planned' };

interface RotateOptions {
  dryRun?: boolean;
  reason?: string;
  json?: boolean;
}

const told = ({ action, table: parent, month, rows, outcome, why }: StepOutcome): string =>
  `${action} ${nameOf(parent, month)}: ${outcome === 'done' ? `done, ${rows} rows` : `${outcome}, ${why}`}`;

@SubCommand({
  name: 'rotate',
  description: 'Do now what the maintenance loop does: make months, empty the default, detach, drop',
})
export class PartitionsRotateCommand extends CommandRunner {
  constructor(@Inject(CliRuntime) private readonly runtime: CliRuntime) {
    super();
  }

  async run(_: string[], { dryRun, reason, json }: RotateOptions): Promise<void> {
    const steps: readonly (Planned | StepOutcome)[] = await this.runtime.withApp(
      async (app) => {
        const rotation = new PartitionRotation(app.get(BackgroundWork), this.runtime.config);
        const plan = await rotation.plan();
        if (dryRun) return plan.map((step): Planned => ({ ...step, outcome: 'planned', why: null }));
        if (!reason && plan.some(({ action }) => action !== 'make'))
          throw new CliError(
            'months would be detached or dropped: give a --reason, or --dry-run',
            EXIT.usage,
          );
        const by = operatorContext(PLATFORM_TENANT_ID);
        return rotation.run(plan, by, reason ?? '', (step) => note(told(step)));
      },
      { background: true },
    );
    const rows = steps.map((step) => ({
      action: step.action,
      partition: nameOf(step.table, step.month),
      rows: step.rows,
      outcome: step.outcome,
    }));
    result(json, { steps }, rows.length > 0 ? table(rows) : 'nothing to do');
    const busy = steps.filter(({ outcome }) => outcome === 'busy').length;
    if (busy > 0) throw new CliError(`${busy} partitions were busy: try again`, EXIT.unavailable);
  }

  @Option({ flags: '--dry-run', description: 'only tell what would be done' })
  dryRun(): boolean {
    return true;
  }

  @Option({ flags: '--reason <text>', description: 'why months go; kept in the audit log' })
  reason(text: string): string {
    return text;
  }

  @Option({ flags: '--json', description: 'print one JSON object' })
  json(): boolean {
    return true;
  }

  @Help('after')
  help(): string {
    return examples('partitions rotate --dry-run', 'partitions rotate --reason "yearly clean-up"');
  }
}

@Command({
  name: 'partitions',
  description: 'Monthly partitions of events, checkpoints and the audit log',
  subCommands: [
    PartitionsStatusCommand,
    PartitionsRotateCommand,
    PartitionsExportCommand,
    PartitionsBackfillCommand,
  ],
})
export class PartitionsCommand extends CommandRunner {
  run(): Promise<void> {
    out(this.command.helpInformation());
    return Promise.resolve();
  }
}
