import { Module } from '@nestjs/common';
import { ChangeRoomType } from './commands/change-room-type/change-room-type.js';
import { CreateRoomType } from './commands/create-room-type/create-room-type.js';
import { SetInventory } from './commands/set-inventory/set-inventory.js';
import { InventoryController } from './http/inventory.controller.js';
import { InventoryQueries } from './queries/inventory-queries.js';

/** Room types and the counters of their nights. */
@Module({
  controllers: [InventoryController],
  providers: [CreateRoomType, ChangeRoomType, SetInventory, InventoryQueries],
  exports: [CreateRoomType, InventoryQueries],
})
export class InventoryModule {}
