import { Module } from '@nestjs/common';
import { ConsumerModule } from '../consumer/consumer.module.js';
import { OccupancyProjector } from './consumers/occupancy-projector.js';

/** Worker: keeps the read model. */
@Module({ imports: [ConsumerModule], providers: [OccupancyProjector] })
export class OccupancyWorkerModule {}
