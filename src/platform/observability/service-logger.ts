import { Injectable } from '@nestjs/common';
import { Logger } from 'nestjs-pino';

/** Nest tells of every module and route at each start; that is for those who debug. */
const CHATTY: ReadonlySet<unknown> = new Set([
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestFactory',
]);

/** nestjs-pino's logger, with Nest's own start-up chatter at debug. */
@Injectable()
export class ServiceLogger extends Logger {
  override log(message: unknown, ...params: unknown[]): void {
    if (CHATTY.has(params.at(-1))) super.debug(message, ...(params as [string]));
    else super.log(message, ...(params as [string]));
  }
}
