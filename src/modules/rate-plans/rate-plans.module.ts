import { Module } from '@nestjs/common';
import { ChangeRatePlan } from './commands/change-rate-plan/change-rate-plan.js';
import { CreateRatePlan } from './commands/create-rate-plan/create-rate-plan.js';
import { SetPrices } from './commands/set-prices/set-prices.js';
import { RatePlanController } from './http/rate-plan.controller.js';
import { RatePlanQueries } from './queries/rate-plan-queries.js';

/** Rate plans and their nightly prices. */
@Module({
  controllers: [RatePlanController],
  providers: [CreateRatePlan, ChangeRatePlan, SetPrices, RatePlanQueries],
  exports: [CreateRatePlan, SetPrices, RatePlanQueries],
})
export class RatePlansModule {}
