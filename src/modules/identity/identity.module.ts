import { Module } from '@nestjs/common';
import { TokenIssuer } from './contract/token-issuer.js';

/** Who may do what: the permissions, the roles, and the tokens that carry them. */
@Module({ providers: [TokenIssuer], exports: [TokenIssuer] })
export class IdentityModule {}
