import { TextField } from '../../../platform/http/fields.js';

const code = {
  min: 2,
  max: 40,
  pattern: /^[a-z][a-z0-9-]{1,39}$/,
  code: 'CODE_INVALID',
  hint: 'a to z, 0 to 9 and -, a letter first.',
  example: 'demo',
};
const name = { max: 200, example: 'Demo Hotels' };

/** Body of `POST /v1/system/tenants`. */
export class CreateTenantBody {
  @TextField(code)
  code!: string;

  @TextField(name)
  name!: string;
}

/** Body of `PATCH /v1/system/tenants/:tenantId`. */
export class ChangeTenantBody {
  @TextField({ ...code, optional: true })
  code?: string;

  @TextField({ ...name, optional: true })
  name?: string;
}

/** Body of `PATCH /v1/tenant`. */
export class ChangeOwnTenantBody {
  @TextField({ ...name, optional: true })
  name?: string;
}
