import { userInfo } from 'node:os';
import { makeContext, type OpContext } from '../context/op-context.js';
import type { TenantId } from '../kernel/ids.js';

/** The login name as the audit may keep it, or `operator` where the system knows none. */
function loginName(): string {
  try {
    return userInfo()
      .username.replace(/[^\x21-\x7e]/g, '_')
      .slice(0, 100);
  } catch {
    return 'operator';
  }
}

/** Who acts at the command line: may do everything in the tenant, and is recorded under the login name. */
export const operatorContext = (tenantId: TenantId, source: 'cli' | 'import' = 'cli'): OpContext =>
  makeContext({ tenantId, subject: `cli:${loginName()}`, permissions: ['*'], source });
