/** `tenant.created` and `tenant.changed`: the tenant as it is from then on. Recorded in the tenant's own scope. */
export interface TenantEvent {
  readonly tenantId: string;
  readonly code: string;
  readonly name: string;
}
