import {
  ForbiddenException,
  Inject,
  Injectable,
  UnauthorizedException,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { jwtVerify, type JWTVerifyGetKey } from 'jose';

export const KEYS = Symbol('keys');

/** Who asks. */
export interface User {
  readonly tenantId: string;
  readonly subject: string;
}

export type AuthenticatedRequest = FastifyRequest & { user: User };

@Injectable()
export class JwtGuard implements CanActivate {
  constructor(@Inject(KEYS) private readonly keys: JWTVerifyGetKey) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (!token) throw new UnauthorizedException();
    const { payload } = await jwtVerify<{ tenant_id: string; permissions: string[] }>(token, this.keys, {
      algorithms: ['EdDSA'],
      issuer: 'tartware',
      audience: 'tartware-api',
    }).catch(() => {
      throw new UnauthorizedException();
    });
    if (!payload.permissions.includes('reservation:create')) throw new ForbiddenException();
    request.user = { tenantId: payload.tenant_id, subject: payload.sub! };
    return true;
  }
}
