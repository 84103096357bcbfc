import { Inject } from '@nestjs/common';
import { InvalidArgumentError } from 'commander';
import { Command, CommandRunner, Help, Option, SubCommand } from 'nest-commander';
import { operatorContext } from '../../../platform/cli/operator.js';
import { matching } from '../../../platform/cli/options.js';
import { out, result, table } from '../../../platform/cli/output.js';
import { CliRuntime, examples } from '../../../platform/cli/runtime.js';
import type { OpContext } from '../../../platform/context/op-context.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { dataOf } from '../../../platform/http/answer.js';
import { isUuid } from '../../../platform/kernel/ids.js';
import { tenantByCode } from '../../tenants/contract/tenant-by-code.js';
import { Resumer } from '../auditor/resumer.js';
import { RequestResumption } from '../commands/request-resumption/request-resumption.js';
import type { ResumptionOutcome, ResumptionView, Subject } from '../persistence/resumption-store.js';
import {
  LifecycleQueries,
  type RequestLifecycle,
  type ReservationLifecycle,
} from '../queries/lifecycle-queries.js';

interface SubjectOptions {
  tenant: string;
  request?: string;
  reservation?: string;
  json?: boolean;
}

/** Events that are shown. */
const SHOWN = 200;

/** @throws InvalidArgumentError (exit code 2) */
function id(text: string): string {
  if (!isUuid(text)) throw new InvalidArgumentError('It must be an id (UUID in lower case).');
  return text;
}

function forPeople(lifecycle: RequestLifecycle | ReservationLifecycle): string {
  const { state, since, next, hindrance, events, resumptions } = lifecycle;
  const lines = [
    ['state', state ?? '-'],
    ['since', since ?? '-'],
    ['next', next],
    ...(hindrance
      ? [
          ['why', `${hindrance.code}: ${hindrance.cause}`],
          ['what to do', hindrance.remedy],
        ]
      : []),
    ...resumptions.map((one) => [
      'resumed',
      `${one.requestedAt} by ${one.actor}: ${one.outcome ? told(one.outcome) : 'not yet done'}`,
    ]),
  ];
  return [
    ...lines.map(([name, value]) => `${name!.padEnd(12)}${value}`),
    '',
    table(
      events.map((event) => ({
        event: event.type,
        aggregate: event.aggregateId,
        version: event.keySeq,
        state: event.state,
        since: event.since,
        why: event.hindrance?.code ?? '',
      })),
    ),
  ].join('\n');
}

const told = (outcome: ResumptionOutcome): string =>
  outcome.open === 0
    ? 'nothing to do: all is settled'
    : `${outcome.open} open: ${outcome.released} released, ${outcome.publishedAgain} published again, ${outcome.replayed} replayed, ${outcome.woken} woken, ${outcome.waiting} waiting`;

/** @throws DomainError REQUEST_NOT_FOUND, RESERVATION_NOT_FOUND */
const lifecycleOf = (
  queries: LifecycleQueries,
  ctx: OpContext,
  { type, id: subject }: Subject,
): Promise<RequestLifecycle | ReservationLifecycle> =>
  type === 'request'
    ? queries.ofRequest(ctx, subject, null, SHOWN)
    : queries.ofReservation(ctx, subject, null, SHOWN);

/** The options that both commands have. */
abstract class SubjectCommand extends CommandRunner {
  @Option({ flags: '--tenant <code>', description: 'tenant', defaultValue: 'demo' })
  tenant(code: string): string {
    return code;
  }

  @Option({ flags: '--request <id>', description: 'the correlation id of a request' })
  request(text: string): string {
    return id(text);
  }

  @Option({ flags: '--reservation <id>', description: 'the id of a reservation' })
  reservation(text: string): string {
    return id(text);
  }

  @Option({ flags: '--json', description: 'print one JSON object' })
  json(): boolean {
    return true;
  }

  /** Ends with exit code 2 unless just one is named. */
  protected subjectOf({ request, reservation }: SubjectOptions): Subject {
    if ((request === undefined) === (reservation === undefined))
      return this.command.error('error: name either --request or --reservation', { exitCode: 2 });
    return request === undefined
      ? { type: 'reservation', id: reservation! }
      : { type: 'request', id: request };
  }
}

@SubCommand({
  name: 'show',
  description: 'Show where a request or a reservation is, why, and what can be done',
})
export class LifecycleShowCommand extends SubjectCommand {
  constructor(@Inject(CliRuntime) private readonly runtime: CliRuntime) {
    super();
  }

  async run(_: string[], options: SubjectOptions): Promise<void> {
    const { type, id: subject } = this.subjectOf(options);
    const lifecycle = await this.runtime.withApp(async (app) => {
      const ctx = operatorContext((await tenantByCode(app.get(UnitOfWork), options.tenant)).tenantId);
      return lifecycleOf(app.get(LifecycleQueries), ctx, { type, id: subject });
    });
    result(options.json, lifecycle, forPeople(lifecycle));
  }

  @Help('after')
  help(): string {
    return examples('lifecycle show --reservation 0190a1b2-…', 'lifecycle show --request 0190a1b2-… --json');
  }
}

interface ResumeOptions extends SubjectOptions {
  reason?: string;
  dryRun?: boolean;
}

@SubCommand({
  name: 'resume',
  description: 'Go on with a request or a reservation from its last checkpoint; recorded',
})
export class LifecycleResumeCommand extends SubjectCommand {
  constructor(@Inject(CliRuntime) private readonly runtime: CliRuntime) {
    super();
  }

  async run(_: string[], options: ResumeOptions): Promise<void> {
    const subject = this.subjectOf(options);
    const { dryRun = false, reason } = options;
    if (!dryRun && reason === undefined) this.command.error('error: --reason is needed', { exitCode: 2 });
    const outcome = await this.runtime.withApp(
      async (app) => {
        const ctx = operatorContext((await tenantByCode(app.get(UnitOfWork), options.tenant)).tenantId);
        const resumer = app.get(Resumer);
        if (dryRun) {
          await lifecycleOf(app.get(LifecycleQueries), ctx, subject);
          return resumer.preview(ctx.tenantId, subject);
        }
        const asked = await app.get(RequestResumption).execute(ctx, subject, reason!, null);
        return resumer.finish(ctx.tenantId, dataOf<ResumptionView>(asked).id);
      },
      { background: true },
    );
    result(options.json, { dryRun, ...outcome }, `${dryRun ? 'would be done: ' : ''}${told(outcome)}`);
  }

  @Option({ flags: '--reason <text>', description: 'why, for the record; nothing about a person' })
  reason(text: string): string {
    return matching(/^[^\p{Cc}]{1,500}$/u, '1 to 500 characters')(text);
  }

  @Option({ flags: '--dry-run', description: 'only tell what would be done' })
  dryRun(): boolean {
    return true;
  }

  @Help('after')
  help(): string {
    return examples(
      'lifecycle resume --request 0190a1b2-… --dry-run',
      'lifecycle resume --reservation 0190a1b2-… --reason "broker restored"',
    );
  }
}

@Command({
  name: 'lifecycle',
  description: 'Where requests are',
  subCommands: [LifecycleShowCommand, LifecycleResumeCommand],
})
export class LifecycleCommand extends CommandRunner {
  run(): Promise<void> {
    out(this.command.helpInformation());
    return Promise.resolve();
  }
}
