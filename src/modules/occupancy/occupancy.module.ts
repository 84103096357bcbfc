import { Module } from '@nestjs/common';
import { OccupancyController } from './http/occupancy.controller.js';
import { OccupancyQueries } from './queries/occupancy-queries.js';

/** Reads, without HTTP: for the CLI. */
@Module({ providers: [OccupancyQueries], exports: [OccupancyQueries] })
export class OccupancyModule {}

/** Reads over REST. */
@Module({ imports: [OccupancyModule], controllers: [OccupancyController] })
export class OccupancyHttpModule {}
