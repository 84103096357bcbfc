import { Module } from '@nestjs/common';
import { LifecycleController } from './http/lifecycle.controller.js';
import { LifecycleQueries } from './queries/lifecycle-queries.js';

/** Reads, without HTTP: for the CLI. */
@Module({ providers: [LifecycleQueries], exports: [LifecycleQueries] })
export class LifecycleModule {}

/** Reads over REST. */
@Module({ imports: [LifecycleModule], controllers: [LifecycleController] })
export class LifecycleHttpModule {}
