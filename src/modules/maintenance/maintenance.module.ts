import { Module } from '@nestjs/common';
import { Maintenance } from './maintenance.js';

/** Worker: partitions, old idempotency keys, the retention of the log in PostgreSQL. Needs ScheduleModule.forRoot(). */
@Module({ providers: [Maintenance], exports: [Maintenance] })
export class MaintenanceModule {}
