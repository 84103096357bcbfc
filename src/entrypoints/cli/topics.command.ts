import { Inject } from '@nestjs/common';
import { Command, CommandRunner, Help, Option, SubCommand } from 'nest-commander';
import { EXIT } from '../../platform/cli/exit-codes.js';
import { note, out, result } from '../../platform/cli/output.js';
import { CliRuntime, examples } from '../../platform/cli/runtime.js';
import type { TopicReport } from '../../platform/event-log/kafka/topic-plan.js';
import { kafkaTopics, topicsOf } from '../event-log.js';

interface Flags {
  readonly dryRun?: boolean;
  readonly growPartitions?: boolean;
  readonly json?: boolean;
}

const linesOf = ({ name, created, changed, drift }: TopicReport, dryRun: boolean): string[] => {
  const verb = created ? 'created' : changed.length > 0 ? 'changed' : 'as wanted';
  return [
    `${name}  ${dryRun && verb !== 'as wanted' ? `would be ${verb}` : drift.length > 0 && verb === 'as wanted' ? 'left as it is' : verb}`,
    ...changed.map(({ setting, from, to }) => `  ${setting}  ${from} -> ${to}`),
    ...drift.map(({ setting, from, to, why }) => `  ${setting}  stays ${from}, wanted ${to}: ${why}`),
  ];
};

@SubCommand({
  name: 'provision',
  description:
    'Create the topics that are missing, and bring the others to what is configured (KAFKA_BROKERS)',
})
export class TopicsProvisionCommand extends CommandRunner {
  constructor(@Inject(CliRuntime) private readonly runtime: CliRuntime) {
    super();
  }

  async run(_: string[], { dryRun = false, growPartitions = false, json }: Flags): Promise<void> {
    const { config } = this.runtime;
    const topics = await kafkaTopics(config).reconcile(topicsOf(config), { dryRun, growPartitions });
    if (topics.some(({ changed }) => changed.some(({ setting }) => setting === 'partitions')))
      note(
        'Keys move with the number of partitions: grow it only while the outbox is empty and everything is applied, and restart the workers.',
      );
    result(json, { dryRun, topics }, topics.flatMap((topic) => linesOf(topic, dryRun)).join('\n'));
    if (topics.some(({ drift }) => drift.length > 0)) process.exitCode = EXIT.refused;
  }

  @Option({ flags: '--dry-run', description: 'tell what would change, and change nothing' })
  dryRun(): boolean {
    return true;
  }

  @Option({
    flags: '--grow-partitions',
    description: 'add partitions to a topic that has too few; keys move: only with nothing under way',
  })
  growPartitions(): boolean {
    return true;
  }

  @Option({ flags: '--json', description: 'print one JSON object' })
  json(): boolean {
    return true;
  }

  @Help('after')
  help(): string {
    return examples('topics provision', 'topics provision --dry-run --json');
  }
}

@Command({ name: 'topics', description: 'Topics of the event log', subCommands: [TopicsProvisionCommand] })
export class TopicsCommand extends CommandRunner {
  run(): Promise<void> {
    out(this.command.helpInformation());
    return Promise.resolve();
  }
}
