import { Module } from '@nestjs/common';
import { AdvanceBusinessDate } from './commands/advance-business-date/advance-business-date.js';
import { ChangeProperty } from './commands/change-property/change-property.js';
import { CreateProperty } from './commands/create-property/create-property.js';
import { PropertyController } from './http/property.controller.js';
import { PropertyQueries } from './queries/property-queries.js';

/** Properties and their business dates. */
@Module({
  controllers: [PropertyController],
  providers: [CreateProperty, ChangeProperty, AdvanceBusinessDate, PropertyQueries],
  exports: [CreateProperty, AdvanceBusinessDate, PropertyQueries],
})
export class PropertiesModule {}
