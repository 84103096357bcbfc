import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import passport from 'passport';
import { DomainError } from '../kernel/errors.js';
import { TokenVerifier, type Principal } from './token-verifier.js';

type Done = (error: unknown, principal?: Principal) => void;

let strategies = 0;

/** Passport's side of bearer tokens (RFC 6750, 2.1): takes the token out of the header, has it judged, reports. */
class BearerStrategy extends passport.Strategy {
  // Passport keeps strategies in one table of the process: two applications in it must not take each other's place.
  override readonly name = `jwt-${++strategies}`;
  declare readonly success: (principal: Principal) => void;
  declare readonly error: (error: unknown) => void;

  constructor(private readonly judge: (token: string, done: Done) => void) {
    super();
  }

  override authenticate(request: { headers: { authorization?: string } }): void {
    const header = request.headers.authorization;
    const token = /^Bearer +([\w~+/=.-]+) *$/i.exec(header ?? '')?.[1];
    if (!token) {
      this.error(
        header
          ? new DomainError('TOKEN_INVALID', 'AUTHN', 'The Authorization header holds no bearer token.')
          : new DomainError('TOKEN_MISSING', 'AUTHN', 'This needs a bearer token.'),
      );
      return;
    }
    this.judge(token, (error, principal) => (principal ? this.success(principal) : this.error(error)));
  }
}

/** The strategy that `AccessGuard` authenticates with. */
@Injectable()
export class JwtStrategy extends PassportStrategy(BearerStrategy) {
  constructor(private readonly verifier: TokenVerifier) {
    super();
  }

  /** @throws DomainError TOKEN_INVALID, TOKEN_EXPIRED (401) */
  validate(token: string): Promise<Principal> {
    return this.verifier.verify(token);
  }
}
