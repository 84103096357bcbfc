import { Module } from '@nestjs/common';
import { ConsumerModule } from '../consumer/consumer.module.js';
import { OccupancyProjector } from './consumers/occupancy-projector.js';
import { OccupancyController } from './http/occupancy.controller.js';
import { OccupancyQueries } from './queries/occupancy-queries.js';

/** Reads, without HTTP: for the CLI. */
@Module({ providers: [OccupancyQueries], exports: [OccupancyQueries] })
export class OccupancyModule {}

/** Reads over REST. */
@Module({ imports: [OccupancyModule], controllers: [OccupancyController] })
export class OccupancyHttpModule {}

/** Worker: keeps the read model. */
@Module({ imports: [ConsumerModule], providers: [OccupancyProjector] })
export class OccupancyWorkerModule {}
