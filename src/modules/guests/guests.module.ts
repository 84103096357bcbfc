import { Module } from '@nestjs/common';
import { ChangeGuest } from './commands/change-guest/change-guest.js';
import { CreateGuest } from './commands/create-guest/create-guest.js';
import { GuestController } from './http/guest.controller.js';
import { GuestQueries } from './queries/guest-queries.js';

/** Guests: the only module that knows people's names. */
@Module({
  controllers: [GuestController],
  providers: [CreateGuest, ChangeGuest, GuestQueries],
  exports: [CreateGuest, GuestQueries],
})
export class GuestsModule {}
