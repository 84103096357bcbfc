import { Module } from '@nestjs/common';
import { AccessGuard } from './access.js';
import { JwtStrategy } from './jwt-strategy.js';
import { KeySet } from './key-set.js';
import { TokenVerifier } from './token-verifier.js';

/** Who may come in. Needs APP_CONFIG from a global module; `configureHttp` puts the guard in front of every route. */
@Module({ providers: [KeySet, TokenVerifier, JwtStrategy, AccessGuard], exports: [AccessGuard] })
export class HttpModule {}
