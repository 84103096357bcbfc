export { CreateTenant, type CreateTenantInput } from '../commands/create-tenant/create-tenant.js';
