import { join } from 'node:path';
import { ROLE_PERMISSIONS } from '../src/modules/identity/contract/permissions.js';
import { TokenIssuer } from '../src/modules/identity/contract/token-issuer.js';
import type { AppConfig } from '../src/platform/config/config.js';
import type { TenantId } from '../src/platform/kernel/ids.js';
import type { Bed } from './bed.js';
import type { Ground } from './ground.js';
import { startService, type ServiceProcess } from './process.js';
import { START } from '../test/support/service.js';

/** Where the bench's tokens are verified with. */
export const jwksFile = (bed: Bed): string => join(bed.home, 'keys/jwks.json');

/**
 * `npm start` with `APP_MODE=api`.
 * @param on its database
 * @param options.hooks options of Node, before the program
 */
export const startOurs = (
  bed: Bed,
  on: Ground,
  {
    name = 'api',
    hooks = [],
    env = {},
  }: { name?: string; hooks?: readonly string[]; env?: Readonly<Record<string, string>> } = {},
): Promise<ServiceProcess> =>
  startService(bed, name, [...hooks, ...START], {
    ready: '/health/readiness',
    env: { APP_MODE: 'api', TARTWARE_HOME: bed.home, DATABASE_URL: on.database.appUrl, ...env },
  });

/** A token of the front desk, as `tartware token issue` signs it. */
export const tokenOf = (bed: Bed, tenantId: TenantId): Promise<string> =>
  new TokenIssuer({
    signingKeyFile: join(bed.home, 'keys/signing.jwk'),
    jwksFile: jwksFile(bed),
  } as AppConfig).issueToken({
    tenantId,
    subject: 'bench',
    permissions: ROLE_PERMISSIONS.staff,
    ttlSeconds: 86_400,
  });
