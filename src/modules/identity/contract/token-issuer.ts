import { chmod, link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, SignJWT, type JWK } from 'jose';
import type { AppConfig } from '../../../platform/config/config.js';
import { APP_CONFIG } from '../../../platform/config/config.token.js';
import { TOKEN_AUDIENCE, TOKEN_ISSUER } from '../../../platform/http/token-verifier.js';
import { newId, type TenantId } from '../../../platform/kernel/ids.js';

/** What a token says. `permissions` are expanded from roles at issue; `*` is all of them. */
export interface TokenRequest {
  readonly tenantId: TenantId;
  /** 1 to 120 visible ASCII characters: the operator or service; never a guest. */
  readonly subject: string;
  readonly permissions: Iterable<string>;
  /** Seconds, 1 to 31,536,000 (a year). */
  readonly ttlSeconds: number;
}

const MAX_TTL_SECONDS = 31_536_000;

/**
 * Signs access tokens (JWT, EdDSA) with a key pair made on first use: the private key in `signingKeyFile`, readable by
 * its owner only, the public one in `jwksFile`, which the API reads. To rotate, move the private key away: the next token
 * makes a new pair, and the old public key stays in the JWKS until its tokens are gone.
 */
@Injectable()
export class TokenIssuer {
  constructor(@Inject(APP_CONFIG) private readonly config: AppConfig) {}

  /** @throws RangeError when the subject or the time to live is out of bounds */
  async issueToken(request: TokenRequest): Promise<string> {
    if (!/^[\x21-\x7e]{1,120}$/.test(request.subject))
      throw new RangeError('subject must be 1 to 120 visible ASCII characters');
    const { ttlSeconds } = request;
    if (!Number.isInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > MAX_TTL_SECONDS)
      throw new RangeError(`ttlSeconds must be a whole number from 1 to ${MAX_TTL_SECONDS}`);
    const key = await this.ensureKeys();
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ tenant_id: request.tenantId, permissions: [...request.permissions] })
      .setProtectedHeader({ alg: 'EdDSA', kid: key.kid!, typ: 'JWT' })
      .setIssuer(TOKEN_ISSUER)
      .setAudience(TOKEN_AUDIENCE)
      .setSubject(request.subject)
      .setJti(newId())
      .setIssuedAt(now)
      .setExpirationTime(now + ttlSeconds)
      .sign(await importJWK(key, 'EdDSA'));
  }

  /** Makes what is missing of the two key files; several processes may do so at once. Answers with the private key. */
  async ensureKeys(): Promise<JWK> {
    const key = (await this.readKey()) ?? (await this.makeKey());
    await this.publish(key);
    return key;
  }

  private async readKey(): Promise<JWK | null> {
    const text = await readFile(this.config.signingKeyFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    return text === null ? null : (JSON.parse(text) as JWK);
  }

  private async makeKey(): Promise<JWK> {
    const pair = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
    const jwk = await exportJWK(pair.privateKey);
    const key: JWK = { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: 'EdDSA', use: 'sig' };
    await mkdir(dirname(this.config.signingKeyFile), { recursive: true, mode: 0o700 });
    const draft = `${this.config.signingKeyFile}.${newId()}`;
    await writeFile(draft, JSON.stringify(key), { mode: 0o600, flag: 'wx' });
    try {
      // A link fails where a file is: of two processes that begin at once, one key wins and both use it.
      await link(draft, this.config.signingKeyFile);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      await rm(draft);
    }
    const winner = await this.readKey();
    if (!winner) throw new Error(`${this.config.signingKeyFile} vanished while it was being made`);
    return winner;
  }

  private async publish({ kty, crv, x, kid, alg, use }: JWK): Promise<void> {
    const file = this.config.jwksFile;
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '{"keys":[]}';
      throw error;
    });
    const { keys } = JSON.parse(text) as { keys: JWK[] };
    if (keys.some((known) => known.kid === kid)) return;
    await mkdir(dirname(file), { recursive: true });
    const draft = `${file}.${newId()}`;
    // Renamed into place: the API never reads half a file.
    await writeFile(draft, JSON.stringify({ keys: [...keys, { kty, crv, x, kid, alg, use }] }, null, 2));
    await chmod(draft, 0o644);
    await rename(draft, file);
  }
}
