import { Module } from '@nestjs/common';
import { ReservationsModule } from './reservations.module.js';
import { HoldExpirySweep } from './sweeps/hold-expiry.js';

/** What the worker does for reservations. */
@Module({ imports: [ReservationsModule], providers: [HoldExpirySweep], exports: [HoldExpirySweep] })
export class ReservationsWorkerModule {}
