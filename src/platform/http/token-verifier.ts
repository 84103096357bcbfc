import { Injectable } from '@nestjs/common';
import { errors, jwtVerify, type JWTPayload } from 'jose';
import { DomainError } from '../kernel/errors.js';
import { isUuid, tenantId, type TenantId } from '../kernel/ids.js';
import { KeySet } from './key-set.js';

/** Who a verified token speaks for. */
export interface Principal {
  readonly tenantId: TenantId;
  readonly subject: string;
  readonly permissions: ReadonlySet<string>;
}

/** The fixed list of RFC 8725, 3.1: neither `none` nor an algorithm with a shared secret is ever tried. */
export const TOKEN_ALGORITHMS = ['EdDSA', 'ES256'];
export const TOKEN_ISSUER = 'tartware';
export const TOKEN_AUDIENCE = 'tartware-api';

const CACHE_SIZE = 5_000;
const CACHE_MS = 60_000;
const MAX_TOKEN_LENGTH = 8_192;

interface Entry {
  readonly principal: Principal;
  readonly until: number;
}

const unauthorised = (code: string, message: string, cause?: unknown): DomainError =>
  new DomainError(code, 'AUTHN', message, undefined, { cause });

/**
 * Verifies bearer tokens. A token that passed is remembered until it expires, 60 s at most, or until the keys change:
 * a signature check takes some 100 µs, on every request.
 */
@Injectable()
export class TokenVerifier {
  private readonly cache = new Map<string, Entry>();
  private generation = 0;

  constructor(private readonly keys: KeySet) {}

  /** @throws DomainError TOKEN_INVALID, TOKEN_EXPIRED (401) */
  async verify(token: string): Promise<Principal> {
    const keys = await this.keys.current();
    if (this.keys.generation !== this.generation) {
      this.cache.clear();
      this.generation = this.keys.generation;
    }
    const known = this.recall(token);
    if (known) return known;
    if (!keys || token.length > MAX_TOKEN_LENGTH)
      throw unauthorised('TOKEN_INVALID', 'The token is not valid.');
    const payload = await jwtVerify(token, keys, {
      algorithms: TOKEN_ALGORITHMS,
      issuer: TOKEN_ISSUER,
      audience: TOKEN_AUDIENCE,
      requiredClaims: ['exp', 'sub', 'tenant_id', 'permissions'],
    }).then(
      (result) => result.payload,
      (error: unknown) => {
        if (error instanceof errors.JWTExpired)
          throw unauthorised('TOKEN_EXPIRED', 'The token has expired.', error);
        throw unauthorised('TOKEN_INVALID', 'The token is not valid.', error);
      },
    );
    const principal = principalOf(payload);
    this.remember(token, { principal, until: Math.min((payload.exp ?? 0) * 1000, Date.now() + CACHE_MS) });
    return principal;
  }

  private recall(token: string): Principal | null {
    const entry = this.cache.get(token);
    if (!entry) return null;
    this.cache.delete(token);
    if (entry.until <= Date.now()) return null;
    // A Map keeps the order of insertion: the first entry is the one used longest ago.
    this.cache.set(token, entry);
    return entry.principal;
  }

  private remember(token: string, entry: Entry): void {
    this.cache.set(token, entry);
    if (this.cache.size <= CACHE_SIZE) return;
    for (const oldest of this.cache.keys()) {
      this.cache.delete(oldest);
      return;
    }
  }
}

/** @throws DomainError TOKEN_INVALID when a claim of ours has not the form that the issuer gives it */
function principalOf(payload: JWTPayload): Principal {
  const { sub, tenant_id: tenant, permissions } = payload;
  const sound =
    typeof sub === 'string' &&
    /^[\x21-\x7e]{1,120}$/.test(sub) &&
    typeof tenant === 'string' &&
    isUuid(tenant) &&
    Array.isArray(permissions) &&
    permissions.every((permission) => typeof permission === 'string');
  if (!sound) throw unauthorised('TOKEN_INVALID', 'The token is not valid.');
  return { tenantId: tenantId(tenant), subject: sub, permissions: new Set(permissions) };
}
