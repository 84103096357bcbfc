import { Inject } from '@nestjs/common';
import { Command, CommandRunner, Help, Option, SubCommand } from 'nest-commander';
import { operatorContext } from '../../../platform/cli/operator.js';
import { out, result, table } from '../../../platform/cli/output.js';
import { CliRuntime, examples } from '../../../platform/cli/runtime.js';
import { notFound } from '../../../platform/kernel/errors.js';
import { isUuid } from '../../../platform/kernel/ids.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { tenantByCode } from '../../tenants/contract/tenant-by-code.js';
import { reservationView, type ReservationView } from '../contract/reservation-view.js';
import { ReservationQueries } from '../queries/reservation-queries.js';

const decimal = (minor: number, currency: string): string => {
  const digits =
    new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;
  return `${(minor / 10 ** digits).toFixed(digits)} ${currency}`;
};

function forPeople(view: ReservationView): string {
  const { party, price } = view;
  const lines = [
    ['confirmation number', view.confirmationNumber],
    ['id', view.id],
    ['status', view.status],
    [
      'stay',
      view.dayUse
        ? `${view.arrival}, day use`
        : `${view.arrival} to ${view.departure}, ${price.nights.length} nights`,
    ],
    ['party', `${party.adults} adults, ${party.children} children, ${party.babies} babies`],
    ['total', decimal(price.totalMinor, price.currency)],
    ['room', view.roomNumber ?? '-'],
    ['guest', view.guestId],
    ['hold expires', view.holdExpiresAt ?? '-'],
    ['version', String(view.version)],
  ];
  const nights = price.nights.map(({ night, amountMinor }) => ({
    night,
    price: decimal(amountMinor, price.currency),
  }));
  return [
    ...lines.map(([name, value]) => `${name!.padEnd(20)}${value}`),
    '',
    ...(nights.length ? [table(nights)] : []),
  ].join('\n');
}

@SubCommand({
  name: 'show',
  arguments: '<reservation>',
  argsDescription: { reservation: 'confirmation number or id' },
  description: 'Show one reservation',
})
export class ReservationsShowCommand extends CommandRunner {
  constructor(@Inject(CliRuntime) private readonly runtime: CliRuntime) {
    super();
  }

  async run([name]: string[], { tenant, json }: { tenant: string; json?: boolean }): Promise<void> {
    const view = await this.runtime.withApp(async (app) => {
      const ctx = operatorContext((await tenantByCode(app.get(UnitOfWork), tenant)).tenantId);
      const queries = app.get(ReservationQueries);
      if (isUuid(name!)) return reservationView(await queries.byId(ctx, name!));
      const [found] = await queries.search(ctx, { confirmationNumber: name! }, null, 1);
      if (!found) throw notFound('reservation');
      return reservationView(found);
    });
    result(json, view, forPeople(view));
  }

  @Option({ flags: '--tenant <code>', description: 'tenant', defaultValue: 'demo' })
  tenant(code: string): string {
    return code;
  }

  @Option({ flags: '--json', description: 'print one JSON object' })
  json(): boolean {
    return true;
  }

  @Help('after')
  help(): string {
    return examples('reservations show ACFQ589D', 'reservations show ACFQ589D --json');
  }
}

@Command({ name: 'reservations', description: 'Reservations', subCommands: [ReservationsShowCommand] })
export class ReservationsCommand extends CommandRunner {
  run(): Promise<void> {
    out(this.command.helpInformation());
    return Promise.resolve();
  }
}
