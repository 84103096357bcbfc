import { Module } from '@nestjs/common';
import { RequestResumption } from './commands/request-resumption/request-resumption.js';
import { LifecycleController } from './http/lifecycle.controller.js';
import { LifecycleQueries } from './queries/lifecycle-queries.js';

/** Reads and asks, without HTTP: for the CLI. */
@Module({
  providers: [LifecycleQueries, RequestResumption],
  exports: [LifecycleQueries, RequestResumption],
})
export class LifecycleModule {}

/** Reads and asks over REST. */
@Module({ imports: [LifecycleModule], controllers: [LifecycleController] })
export class LifecycleHttpModule {}
