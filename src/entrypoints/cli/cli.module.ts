import { Module } from '@nestjs/common';
import {
  DlqCommand,
  DlqInspectCommand,
  DlqListCommand,
  DlqPatchCommand,
  DlqReplayCommand,
  DlqSkipCommand,
} from '../../modules/consumer/cli/dlq.command.js';
import { SeedCommand } from '../../modules/demo/cli/seed.command.js';
import { TokenCommand, TokenIssueCommand } from '../../modules/identity/cli/token.command.js';
import { ReplayCommand, ReplayHotelBookingsCommand } from '../../modules/imports/cli/replay.command.js';
import {
  PartitionsCommand,
  PartitionsRotateCommand,
  PartitionsStatusCommand,
} from '../../modules/maintenance/cli/partitions.command.js';
import {
  PartitionsBackfillCommand,
  PartitionsExportCommand,
} from '../../modules/maintenance/cli/partitions-data.command.js';
import {
  OutboxCommand,
  OutboxListCommand,
  OutboxParkCommand,
  OutboxRequeueCommand,
} from '../../modules/outbox/cli/outbox.command.js';
import { OutboxReindexCommand } from '../../modules/outbox/cli/outbox-reindex.command.js';
import {
  LifecycleCommand,
  LifecycleResumeCommand,
  LifecycleShowCommand,
} from '../../modules/lifecycle/cli/lifecycle.command.js';
import {
  BusinessDateAdvanceCommand,
  BusinessDateCommand,
} from '../../modules/properties/cli/business-date.command.js';
import { PropertyCommand, PropertyCreateCommand } from '../../modules/properties/cli/property.command.js';
import {
  ReservationsCommand,
  ReservationsShowCommand,
} from '../../modules/reservations/cli/reservations.command.js';
import { CliRuntime } from '../../platform/cli/runtime.js';
import { ProcessCliRuntime } from './cli-runtime.js';
import { MigrateCommand } from './migrate.command.js';
import { TopicsCommand, TopicsProvisionCommand } from './topics.command.js';

/** The commands; what they do is opened on demand. */
@Module({
  providers: [
    { provide: CliRuntime, useClass: ProcessCliRuntime },
    MigrateCommand,
    SeedCommand,
    TokenCommand,
    TokenIssueCommand,
    PropertyCommand,
    PropertyCreateCommand,
    BusinessDateCommand,
    BusinessDateAdvanceCommand,
    ReservationsCommand,
    ReservationsShowCommand,
    LifecycleCommand,
    LifecycleShowCommand,
    LifecycleResumeCommand,
    ReplayCommand,
    ReplayHotelBookingsCommand,
    OutboxCommand,
    OutboxListCommand,
    OutboxRequeueCommand,
    OutboxParkCommand,
    OutboxReindexCommand,
    PartitionsCommand,
    PartitionsStatusCommand,
    PartitionsRotateCommand,
    PartitionsExportCommand,
    PartitionsBackfillCommand,
    TopicsCommand,
    TopicsProvisionCommand,
    DlqCommand,
    DlqListCommand,
    DlqInspectCommand,
    DlqPatchCommand,
    DlqReplayCommand,
    DlqSkipCommand,
  ],
})
export class CliModule {}
