import { IdField, TextField, TimeField, VersionField } from '../../../platform/http/fields.js';
import type { TenantEntity } from '../persistence/tenant.entity.js';

/** A tenant as it is answered. */
export class TenantView {
  @IdField()
  id!: string;

  @TextField({ max: 40, example: 'demo' })
  code!: string;

  @TextField({ max: 200, example: 'Demo Hotels' })
  name!: string;

  @VersionField()
  version!: number;

  @TimeField()
  createdAt!: string;

  @TimeField()
  updatedAt!: string;
}

export const tenantView = (row: TenantEntity): TenantView => ({
  id: row.tenantId,
  code: row.code,
  name: row.name,
  version: row.version,
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
});
