import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { Controller, Get, Global, Module, Req, Res } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { LoggerModule } from 'nestjs-pino';
import { PERMISSIONS } from '../../../src/modules/identity/contract/permissions.js';
import { loadConfig } from '../../../src/platform/config/config.js';
import { APP_CONFIG } from '../../../src/platform/config/config.token.js';
import { Access, Public } from '../../../src/platform/http/access.js';
import { sendAnswer } from '../../../src/platform/http/answer.js';
import { configureHttp, httpAdapter, HTTP_APP_OPTIONS } from '../../../src/platform/http/app.js';
import { HttpModule } from '../../../src/platform/http/http.module.js';
import { loggingParams } from '../../../src/platform/observability/logging.js';
import { ServiceLogger } from '../../../src/platform/observability/service-logger.js';
import type { Recorded } from './start.js';

// What our own server, log, guard and tokens take, and nothing else: every answer is there already. Reads the configuration of
// the application, and MEMORY_ANSWERS: a file with the answers by path.

const config = loadConfig();
const answers = new Map(
  Object.entries(
    JSON.parse(readFileSync(process.env['MEMORY_ANSWERS']!, 'utf8')) as Record<string, Recorded>,
  ),
);

@Controller()
class MemoryController {
  @Get('health')
  @Public()
  health(): object {
    return { status: 'ok' };
  }

  @Get([
    'v1/reservations/:id',
    'v1/reservations/:id/lifecycle',
    'v1/requests/:correlationId',
    'v1/properties/:propertyId/availability',
    'v1/properties/:propertyId/occupancy',
  ])
  @Access('reservation:read')
  answer(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    const recorded = answers.get(request.url);
    if (!recorded) throw new Error(`nothing recorded for ${request.url}`);
    sendAnswer(reply, recorded);
  }
}

@Global()
@Module({ providers: [{ provide: APP_CONFIG, useValue: config }, ServiceLogger], exports: [APP_CONFIG] })
class ConfigModule {}

@Module({
  imports: [LoggerModule.forRoot(loggingParams(config)), ConfigModule, HttpModule],
  controllers: [MemoryController],
})
class AppModule {}

const app = await NestFactory.create<NestFastifyApplication>(AppModule, httpAdapter(), {
  ...HTTP_APP_OPTIONS,
  bufferLogs: true,
});
app.useLogger(app.get(ServiceLogger));
configureHttp(app, PERMISSIONS);
app.enableShutdownHooks();
await app.listen(config.port, config.host);
