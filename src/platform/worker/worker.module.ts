import { Global, Module } from '@nestjs/common';
import { LoopRegistry } from './loop-registry.js';

/** Gives every module the one registry of this process's loops. */
@Global()
@Module({ providers: [LoopRegistry], exports: [LoopRegistry] })
export class WorkerModule {}
