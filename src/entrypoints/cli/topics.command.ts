import { Inject } from '@nestjs/common';
import { Command, CommandRunner, Help, Option, SubCommand } from 'nest-commander';
import { out, result } from '../../platform/cli/output.js';
import { ConfigError } from '../../platform/config/config.js';
import { CliRuntime, examples } from '../../platform/cli/runtime.js';
import { openEventLog, topicsOf } from '../event-log.js';

@SubCommand({ name: 'provision', description: 'Create the topics that are missing (KAFKA_BROKERS)' })
export class TopicsProvisionCommand extends CommandRunner {
  constructor(@Inject(CliRuntime) private readonly runtime: CliRuntime) {
    super();
  }

  async run(_: string[], { json }: { json?: boolean }): Promise<void> {
    if (this.runtime.config.kafkaBrokers.length === 0)
      throw new ConfigError(
        'this needs KAFKA_BROKERS; the event log in PostgreSQL makes its topics by itself',
      );
    const topics = topicsOf(this.runtime.config);
    const log = openEventLog(this.runtime.config, null);
    try {
      await log.provision(topics);
    } finally {
      await log.close();
    }
    result(
      json,
      { topics },
      topics.map((topic) => `${topic.name}  ${topic.partitions} partitions`).join('\n'),
    );
  }

  @Option({ flags: '--json', description: 'print one JSON object' })
  json(): boolean {
    return true;
  }

  @Help('after')
  help(): string {
    return examples('topics provision');
  }
}

@Command({ name: 'topics', description: 'Topics of the event log', subCommands: [TopicsProvisionCommand] })
export class TopicsCommand extends CommandRunner {
  run(): Promise<void> {
    out(this.command.helpInformation());
    return Promise.resolve();
  }
}
