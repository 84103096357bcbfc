import { readFile, stat } from 'node:fs/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import type { AppConfig } from '../config/config.js';
import { APP_CONFIG } from '../config/config.token.js';

/** How long a change of the key file may go unseen, ms. */
const LOOK_EVERY_MS = 2_000;

/**
 * The public keys that tokens are verified with: a JWKS file (RFC 7517), read again when it changes, so that keys rotate
 * without a restart. A file that can't be read leaves the last good keys in force.
 */
@Injectable()
export class KeySet {
  private readonly logger = new Logger(KeySet.name);
  private keys: JWTVerifyGetKey | null = null;
  private stamp = '';
  private lookAt = 0;
  private looking: Promise<void> | null = null;
  /** Grows with every change of the keys: what was verified under an older generation has to be verified again. */
  generation = 0;

  constructor(@Inject(APP_CONFIG) private readonly config: AppConfig) {}

  /** The keys in force, or null while there have never been any. */
  async current(): Promise<JWTVerifyGetKey | null> {
    if (Date.now() >= this.lookAt) {
      this.looking ??= this.look().finally(() => {
        this.looking = null;
      });
      await this.looking;
    }
    return this.keys;
  }

  private async look(): Promise<void> {
    try {
      const { mtimeMs, size, ino } = await stat(this.config.jwksFile);
      const stamp = `${mtimeMs}:${size}:${ino}`;
      if (stamp !== this.stamp) {
        this.keys = createLocalJWKSet(
          JSON.parse(await readFile(this.config.jwksFile, 'utf8')) as JSONWebKeySet,
        );
        this.stamp = stamp;
        this.generation++;
      }
    } catch (error) {
      // The reason only: a parser's message would quote the file.
      const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).name;
      this.logger.warn(`no keys from ${this.config.jwksFile}: ${reason}`);
    }
    this.lookAt = Date.now() + LOOK_EVERY_MS;
  }
}
