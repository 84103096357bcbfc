import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Inject } from '@nestjs/common';
import { Presets, SingleBar } from 'cli-progress';
import { Command, CommandRunner, Help, Option, SubCommand } from 'nest-commander';
import { CliError, EXIT } from '../../../platform/cli/exit-codes.js';
import { operatorContext } from '../../../platform/cli/operator.js';
import { note, out, result, table } from '../../../platform/cli/output.js';
import { matching, wholeNumber } from '../../../platform/cli/options.js';
import { CliRuntime, examples } from '../../../platform/cli/runtime.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { CODE_PATTERN } from '../../properties/contract/codes.js';
import { tenantByCode } from '../../tenants/contract/tenant-by-code.js';
import { readBookings } from '../commands/read-bookings.js';
import {
  ReplayHotelBookings,
  type RefusedRow,
  type ReplayProgress,
  type ReplaySummary,
} from '../commands/replay-hotel-bookings.js';
import { BrokenFileError } from '../domain/hotel-booking.js';

interface ReplayOptions {
  tenant: string;
  property: string;
  rooms: number;
  refused?: string;
  json?: boolean;
}

/** A bar with rate and time left on a terminal, a line every few seconds elsewhere. */
function progressBar(): ReplayProgress & { stop(): void } {
  const bar = new SingleBar(
    {
      format: '{bar} {percentage}% | {value}/{total} commands | {rate}/s | {eta_formatted} left | {step}',
      stream: process.stderr,
      noTTYOutput: true,
      notTTYSchedule: 5_000,
      etaBuffer: 2_000,
    },
    Presets.shades_classic,
  );
  const started = performance.now();
  let done = 0;
  return {
    planned: (total) => bar.start(total, 0, { rate: 0, step: 'replaying' }),
    found: (commands) => bar.increment(commands),
    done: (commands) => {
      done += commands;
      bar.increment(commands, { rate: Math.round((done * 1000) / (performance.now() - started)) });
    },
    waiting: (pending) => bar.update({ step: `waiting for ${pending} to be applied` }),
    stop: () => bar.stop(),
  };
}

const csvOf = (rows: readonly RefusedRow[]): string =>
  [
    'row,code,reason',
    ...rows.map(({ row, code, reason }) => `${row},${code},"${reason.replaceAll('"', '""')}"`),
    '',
  ].join('\n');

const forPeople = (summary: ReplaySummary): string =>
  table(
    Object.entries<number>({ ...summary }).map(([what, count]) => ({
      what: what.replace('Minor', '').replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`),
      count: what === 'revenueMinor' ? `${(count / 100).toFixed(2)} EUR` : count,
    })),
  );

@SubCommand({
  name: 'hotel-bookings',
  arguments: '<file>',
  argsDescription: { file: 'the Hotel Booking Demand file, CSV or gzipped CSV' },
  description: 'Replay the bookings of a real hotel day by day; killed, it goes on where it stopped',
})
export class ReplayHotelBookingsCommand extends CommandRunner {
  constructor(@Inject(CliRuntime) private readonly runtime: CliRuntime) {
    super();
  }

  async run([path]: string[], options: ReplayOptions): Promise<void> {
    const file = await readBookings(resolve(path!)).catch((error: unknown) => {
      if (error instanceof BrokenFileError)
        throw new CliError(`${path}: ${error.message}; nothing of this run was imported`, EXIT.brokenInput, {
          cause: error,
        });
      throw error;
    });
    const bar = progressBar();
    const work = this.runtime.withApp(
      async (app) => {
        const ctx = operatorContext(
          (await tenantByCode(app.get(UnitOfWork), options.tenant)).tenantId,
          'import',
        );
        const input = { file, propertyCode: options.property, rooms: options.rooms };
        return app.get(ReplayHotelBookings).execute(ctx, input, bar);
      },
      { worker: true },
    );
    const { summary, refused } = await work.finally(() => bar.stop());
    const csv = resolve(
      options.refused ?? join(this.runtime.config.home, 'replays', `${options.property}-refused.csv`),
    );
    await mkdir(dirname(csv), { recursive: true });
    await writeFile(csv, csvOf(refused));
    note(`${refused.length} refused rows: ${csv}`);
    result(options.json, summary, forPeople(summary));
  }

  @Option({ flags: '--tenant <code>', description: 'tenant', defaultValue: 'demo' })
  tenant(code: string): string {
    return code;
  }

  @Option({
    flags: '--property <code>',
    description: 'property; created when it is not there',
    required: true,
  })
  property(code: string): string {
    return matching(CODE_PATTERN, 'a code of A to Z, 0 to 9, - and _')(code);
  }

  @Option({ flags: '--rooms <n>', description: 'rooms of its one type, 1 to 100000', required: true })
  rooms(text: string): number {
    return wholeNumber(1, 100_000)(text);
  }

  @Option({
    flags: '--refused <file>',
    description: 'where refused rows go; <TARTWARE_HOME>/replays/<property>-refused.csv',
  })
  refused(path: string): string {
    return path;
  }

  @Option({ flags: '--json', description: 'print one JSON object' })
  json(): boolean {
    return true;
  }

  @Help('after')
  help(): string {
    return examples(
      'replay hotel-bookings ../shared/data/resort_arrivals_2015-07_to_2016-08.csv.gz --property RESORT --rooms 187',
    );
  }
}

@Command({ name: 'replay', description: 'Replays of real data', subCommands: [ReplayHotelBookingsCommand] })
export class ReplayCommand extends CommandRunner {
  run(): Promise<void> {
    out(this.command.helpInformation());
    return Promise.resolve();
  }
}
