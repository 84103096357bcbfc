import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { Controller, Get, Module, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { createLocalJWKSet, type JSONWebKeySet } from 'jose';
import { DataSource } from 'typeorm';
import { ENTITIES } from './entities.js';
import { KEYS } from './jwt.guard.js';
import { ReservationsController } from './reservations.controller.js';
import { ReservationsService } from './reservations.service.js';

// The service that most teams would write: Nest, TypeORM's transaction and save, a row lock on the counters. One booking a
// request, one transaction a booking. Reads NAIVE_DATABASE_URL, JWKS_FILE and PORT.

@Controller('health')
class HealthController {
  @Get()
  health(): object {
    return { status: 'ok' };
  }
}

@Module({
  controllers: [HealthController, ReservationsController],
  providers: [
    ReservationsService,
    {
      provide: DataSource,
      useFactory: () =>
        new DataSource({
          type: 'postgres',
          url: process.env['NAIVE_DATABASE_URL']!,
          poolSize: 10,
          entities: ENTITIES,
          synchronize: true,
        }).initialize(),
    },
    {
      provide: KEYS,
      useFactory: () =>
        createLocalJWKSet(JSON.parse(readFileSync(process.env['JWKS_FILE']!, 'utf8')) as JSONWebKeySet),
    },
  ],
})
class AppModule {}

const app = await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter(), {
  logger: ['error', 'warn'],
});
app.useGlobalPipes(new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, transform: true }));
app.enableShutdownHooks();
await app.listen(Number(process.env['PORT']), '127.0.0.1');
