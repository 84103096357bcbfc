import { Module } from '@nestjs/common';
import { GuestsModule } from '../guests/guests.module.js';
import { InventoryModule } from '../inventory/inventory.module.js';
import { PropertiesModule } from '../properties/properties.module.js';
import { ReservationsModule } from '../reservations/reservations.module.js';
import { ReplayHotelBookings } from './commands/replay-hotel-bookings.js';
import { ReplayHouse } from './commands/replay-house.js';

/** Replays of real bookings, each row once. */
@Module({
  imports: [PropertiesModule, InventoryModule, GuestsModule, ReservationsModule],
  providers: [ReplayHouse, ReplayHotelBookings],
  exports: [ReplayHotelBookings],
})
export class ImportsModule {}
