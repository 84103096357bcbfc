import { ID, label, object } from '../../../platform/kernel/json-schema.js';
import type { EventTypes } from '../../outbox/contract/events.js';

/** `tenant.created` and `tenant.changed`: the tenant as it is from then on. Recorded in the tenant's own scope. */
export interface TenantEvent {
  readonly tenantId: string;
  readonly code: string;
  readonly name: string;
}

const tenant = object<TenantEvent>({
  tenantId: ID,
  code: { type: 'string', pattern: '^[a-z][a-z0-9-]{1,39}$' },
  name: label(200),
});

export const TENANT_EVENTS = {
  'tenant.created': { about: 'A tenant is there.', versions: { 1: tenant } },
  'tenant.changed': { about: 'A tenant is another from then on.', versions: { 1: tenant } },
} satisfies EventTypes;
