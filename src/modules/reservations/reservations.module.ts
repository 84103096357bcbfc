import { Module } from '@nestjs/common';
import { ReservationDesk } from './contract/reservation-desk.js';
import { ReservationCommandsController } from './http/reservation-commands.controller.js';
import { ReservationQueriesController } from './http/reservation-queries.controller.js';
import { ReservationQueries } from './queries/reservation-queries.js';

/** The desk alone: for the CLI and the worker. */
@Module({ providers: [ReservationDesk, ReservationQueries], exports: [ReservationDesk, ReservationQueries] })
export class ReservationsModule {}

/** Commands and queries over REST. */
@Module({
  imports: [ReservationsModule],
  controllers: [ReservationCommandsController, ReservationQueriesController],
})
export class ReservationsHttpModule {}
